"""Analytics: *Course completion by users* as chart, table and CSV file."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from models.analytics import completion_by_course, completion_by_user
from models.directory import course_of
from web.access import CoursesAdmin
from web.course_chart import chart_of
from web.csv_lines import csv_answer, in_batches
from web.database import Database
from web.pager import Pager
from web.templating import page

router = APIRouter(prefix="/training/analytics")


@router.get("")
def by_course(request: Request, person: CoursesAdmin, session: Database) -> Response:
    """Show the completion of all courses."""
    return page(request, "analytics.html", courses=completion_by_course(session, person.actor.organization_id))


@router.get("/{code}")
def by_user(
    request: Request,
    code: str,
    person: CoursesAdmin,
    session: Database,
    after: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    """Show a course's completion and its users by name."""
    course = course_of(session, person.actor.organization_id, code)
    (figures,) = completion_by_course(session, person.actor.organization_id, course.code)
    pager = Pager(request, after, (str, int))
    found = list(completion_by_user(session, course, after=pager.after, limit=pager.limit))
    users = pager.cut(found, lambda user: (user.name, user.user_id))
    chart = None if pager.after else chart_of(session, course)  # on the first page of users
    return page(request, "analytics_course.html", course=course, figures=figures, chart=chart, users=users, pager=pager)


@router.get("/{code}/users.csv")
def as_file(code: str, person: CoursesAdmin, session: Database) -> Response:
    """Download a course's completion with all users as CSV."""
    course = course_of(session, person.actor.organization_id, code)

    batches = in_batches(
        lambda own, after, limit: completion_by_user(own, course, after=after, limit=limit),
        lambda user: (user.name, user.user_id),
    )
    rows = (
        [(user.name, user.email, user.state.value, user.progress, user.completed_at, user.due_at) for user in batch]
        for batch in batches
    )
    head = ("name", "email", "state", "progress_percent", "completed_at", "due_at")
    return csv_answer(f"{course.code} completion by users.csv", head, rows)
