"""A course as its learner takes it, and the files they handed in."""

from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from config.languages import translatable
from config.settings import settings
from models.coursework import steps_of
from models.directory import assigned_course, course_of
from models.files.files import open_file
from models.files.types import TYPES
from models.people import User
from models.refusals.base import Refused
from models.refusals.files import FileTooLarge
from models.session import Session, transaction
from tasks.people.learning import may_complete
from web.access import Person, SignedIn
from web.database import Database
from web.numbers import Number
from web.templating import page

router = APIRouter(prefix="/my")

DONE = {
    "lesson": translatable("Marked as done."),
    "attempt": translatable("Handed in."),
    "post": translatable("Posted."),
    "complete": translatable("Well done: you have completed this course."),
}


@router.get("/courses/{code}")
def course_page(request: Request, code: str, person: Person, session: Database, done: str = "") -> Response:
    """Show a course with its activities."""
    return _show(request, session, person.user, code, done=DONE.get(done, ""))


@router.get("/courses/{code}/lessons/{activity_id}")
@router.get("/courses/{code}/attempts/{activity_id}")
@router.get("/courses/{code}/posts/{activity_id}")
def back_to_activity(code: str, activity_id: Number, person: Person) -> Response:  # noqa: ARG001
    """Redirect a reload of a refused form, or a sign-in after it, to the activity."""
    return RedirectResponse(f"{address(code)}#activity-{activity_id}", 303)


@router.get("/courses/{code}/completion")
def back_to_course(code: str, person: Person) -> Response:  # noqa: ARG001
    """Redirect a reload of a refused completion to the course."""
    return RedirectResponse(address(code), 303)


@router.get("/files/{file_id}")
def download(file_id: Number, person: Person) -> Response:
    """Send a file that was handed in."""
    file = open_file(person.actor, file_id)
    headers = {"Content-Disposition": file.disposition, "Content-Length": str(file.size)}
    return StreamingResponse(file.content, media_type=file.content_type, headers=headers)


def refused(request: Request, person: SignedIn, code: str, refusal: Refused, **about: Any) -> Response:
    """Return the course page with the refusal. `about` may hold `at`, `kept` and `file_gone`; see `_show`."""
    with transaction() as session:
        return _show(request, session, person.user, code, error=refusal, **about)


def address(code: str) -> str:
    """Return the address of the course page."""
    return f"/my/courses/{quote(code, safe='')}"


def _show(
    request: Request,
    session: Session,
    user: User,
    code: str,
    *,
    done: str = "",
    error: Refused | None = None,
    at: int | None = None,
    kept: str = "",
    file_gone: bool = False,
) -> Response:
    """`error` concerns the activity `at`, whose text field gets `kept` back; `file_gone` asks for the file again."""
    mine = assigned_course(session, user, code, whom=translatable("you"))
    course = course_of(session, user.organization_id, code)
    steps = steps_of(session, course.id, mine.registration)
    limit = settings().file_limit_mb
    return page(
        request,
        "my_course.html",
        status=error.status if error else 200,
        error=error,
        at=at,
        kept=kept,
        file_gone=file_gone,
        course=course,
        mine=mine,
        steps=steps,
        may_complete=may_complete(steps),
        done=done,
        most_mb=limit,
        too_large=FileTooLarge(limit),
        file_endings=",".join(TYPES),
    )
