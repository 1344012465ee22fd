"""Analytics: *Course completion by users*, as a chart, a table and a file."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from models.analytics import completion_by_course, completion_by_user
from models.directory import course_of
from models.session import transaction
from web.access import CoursesAdmin
from web.csv_lines import csv_answer
from web.database import Database
from web.pager import Pager
from web.templating import page

router = APIRouter(prefix="/training/analytics")


@router.get("")
def by_course(request: Request, person: CoursesAdmin, session: Database) -> Response:
    """All courses."""
    return page(request, "analytics.html", courses=completion_by_course(session, person.actor.organization_id))


@router.get("/{code}")
def by_user(
    request: Request,
    code: str,
    person: CoursesAdmin,
    session: Database,
    after: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    """One course, and its users by name."""
    course = course_of(session, person.actor.organization_id, code)
    (figures,) = completion_by_course(session, person.actor.organization_id, course.code)
    pager = Pager(request, after, (str, int))
    found = list(completion_by_user(session, course, after=pager.after, limit=pager.limit))
    users = pager.cut(found, lambda user: (user.name, user.user_id))
    return page(request, "analytics_course.html", course=course, figures=figures, users=users, pager=pager)


@router.get("/{code}/users.csv")
def as_file(code: str, person: CoursesAdmin, session: Database) -> Response:
    """The same as a file, with all users."""
    course = course_of(session, person.actor.organization_id, code)

    def rows() -> Iterator[tuple[Any, ...]]:
        with transaction() as own:  # the request's own is over by the time that this is read
            for user in completion_by_user(own, course):
                yield user.name, user.email, user.state.value, user.progress, user.completed_at, user.due_at

    head = ("name", "email", "state", "progress_percent", "completed_at", "due_at")
    return csv_answer(f"{course.code} completion by users.csv", head, rows())
