"""Analytics: *Course completion by users* as chart, table and CSV file."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from models.analytics import completion_by_course
from models.analytics_lists import (
    COMPLETION_ORDERS,
    COURSE_ORDERS,
    CompletionFilter,
    Standing,
    completions_listed,
    matching_completions,
)
from models.directory import course_of
from models.listing import Count
from web.access import CoursesAdmin
from web.course_chart import chart_of
from web.database import Database
from web.pages.course_list import courses_csv, courses_page
from web.shown import Shown
from web.templating import page

router = APIRouter(prefix="/training/analytics")

FILTERS = {"state": list(Standing)}
HEAD = ("name", "email", "state", "progress_percent", "completed_at", "due_at")


@router.get("")
def by_course(request: Request, person: CoursesAdmin, session: Database) -> Response:
    """Show the completion of the courses."""
    return page(request, "analytics.html", **courses_page(session, person, Shown(request, COURSE_ORDERS)))


@router.get(".csv")
def courses_file(request: Request, person: CoursesAdmin) -> Response:
    """Download the completion of the courses that the list shows."""
    return courses_csv(person, Shown(request, COURSE_ORDERS), "course completion.csv")


@router.get("/{code}")
def by_user(request: Request, code: str, person: CoursesAdmin, session: Database) -> Response:
    """Show a course's completion and its users, by name or in another order."""
    course = course_of(session, person.actor.organization_id, code)
    (figures,) = completion_by_course(session, person.actor.organization_id, course.code)
    shown = _shown(request)
    which = _which(shown)
    found = matching_completions(session, course, which)
    lines = completions_listed(
        session, course, which, found=found, sort=shown.sort, after=shown.pager.after, limit=shown.pager.limit
    )
    return page(
        request,
        "analytics_course.html",
        course=course,
        figures=figures,
        chart=None if shown.pager.after else chart_of(session, course),  # on the first page of users
        users=shown.cut(lines),
        count=found.count if found else Count(figures.assigned),
        standings=list(Standing),
        shown=shown,
    )


@router.get("/{code}/users.csv")
def as_file(request: Request, code: str, person: CoursesAdmin, session: Database) -> Response:
    """Download the users that the list shows, with their completion."""
    course = course_of(session, person.actor.organization_id, code)
    shown = _shown(request)
    which = _which(shown)
    found = matching_completions(session, course, which)
    return shown.as_csv(
        f"{course.code} completion by users.csv",
        HEAD,
        lambda own, after, limit: completions_listed(
            own, course, which, found=found, sort=shown.sort, after=after, limit=limit
        ),
        lambda user: (user.name, user.email, user.state.value, user.progress, user.completed_at, user.due_at),
    )


def _shown(request: Request) -> Shown:
    path = request.url.path.removesuffix("/users.csv")
    return Shown(request, COMPLETION_ORDERS, FILTERS, path=path, csv=f"{path}/users.csv")


def _which(shown: Shown) -> CompletionFilter:
    return CompletionFilter(shown.q, Standing(shown["state"]) if shown["state"] else None)
