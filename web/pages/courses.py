"""The list *Training, Content, Courses*, and the page of a course."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from models.analytics import completion_by_course
from models.analytics_lists import COURSE_ORDERS
from models.directory import activity_counts, course_of
from tasks.reset.lookup import resets_seen_by
from web.access import FOR_COURSES_ADMINS, CoursesAdmin
from web.course_chart import chart_of
from web.database import Database
from web.pages.course_list import courses_csv, courses_page
from web.shown import Shown
from web.templating import page

router = APIRouter(prefix="/training")

LATEST_RESETS = 5


@router.get("", dependencies=[FOR_COURSES_ADMINS])
@router.get("/content", dependencies=[FOR_COURSES_ADMINS])
def content() -> Response:
    """Redirect to the courses."""
    return RedirectResponse("/training/content/courses", 303)


@router.get("/content/courses")
def courses(request: Request, person: CoursesAdmin, session: Database) -> Response:
    """List the courses with their completion."""
    return page(request, "courses.html", **courses_page(session, person, Shown(request, COURSE_ORDERS)))


@router.get("/content/courses.csv")
def courses_file(request: Request, person: CoursesAdmin) -> Response:
    """Download the courses that the list shows."""
    return courses_csv(person, Shown(request, COURSE_ORDERS), "courses.csv")


@router.get("/content/courses/{code}")
def course_summary(request: Request, code: str, person: CoursesAdmin, session: Database) -> Response:
    """Show a course."""
    course = course_of(session, person.actor.organization_id, code)
    (figures,) = completion_by_course(session, person.actor.organization_id, course.code)
    return page(
        request,
        "course.html",
        course=course,
        figures=figures,
        chart=chart_of(session, course),
        activities=activity_counts(session, course.id),
        resets=resets_seen_by(session, person.actor, course_code=course.code, limit=LATEST_RESETS),
    )
