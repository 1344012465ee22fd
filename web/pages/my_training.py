"""What a learner does: their courses, and taking one.

Each form carries the registration that its page was made for, so that what was typed before a reset is refused after.
"""

from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from config.settings import settings
from models.coursework import steps_of
from models.directory import TrainingLine, assigned_course, course_of, training_of
from models.files.files import open_file
from models.files.types import TYPES
from models.people import User
from models.refusals.base import Refused
from models.refusals.files import FileTooLarge
from models.refusals.training import StaleRegistration
from models.session import Session, transaction
from models.training import EnrolmentState
from tasks.people.learning import complete, hand_in, hand_in_file, may_complete, record_progress, write_post
from web.access import Person, SignedIn
from web.bodies.cut_off import is_cut_off
from web.database import Database
from web.numbers import Number
from web.templating import page

router = APIRouter(prefix="/my")

Registration = Annotated[UUID, Form()]
Words = Annotated[str, Form(max_length=20_000)]

LONGEST_PART = 256 * 1024  # bytes of a field, which is held in memory

DONE = {
    "lesson": "Marked as done.",
    "attempt": "Handed in.",
    "post": "Posted.",
    "complete": "Well done: you have completed this course.",
}


@router.get("/training")
def my_training(request: Request, person: Person, session: Database) -> Response:
    """The courses assigned to whoever is signed in: those to do first."""
    courses = training_of(session, person.user)
    groups = {
        "To do": [course for course in courses if course.state != EnrolmentState.COMPLETED],
        "Completed": [course for course in courses if course.state == EnrolmentState.COMPLETED],
    }
    return page(request, "my_training.html", groups=groups)


@router.get("/courses/{code}")
def take_course(request: Request, code: str, person: Person, session: Database, done: str = "") -> Response:
    """A course, to be taken."""
    return _course(request, session, person.user, code, done=DONE.get(done, ""))


def _course(
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
    """The course's page; `error` is about the activity `at`, whose field has the words that were `kept`."""
    mine = _mine(session, user, code)
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


def _refused(request: Request, person: SignedIn, code: str, refusal: Refused, **about: Any) -> Response:
    """The course's page again, with what was refused: nothing that was written is lost with it."""
    with transaction() as session:
        return _course(request, session, person.user, code, error=refusal, **about)


@router.get("/courses/{code}/lessons/{activity_id}")
@router.get("/courses/{code}/attempts/{activity_id}")
@router.get("/courses/{code}/posts/{activity_id}")
def back_to_activity(code: str, activity_id: Number, person: Person) -> Response:  # noqa: ARG001
    """A refused form leaves its address in the browser, which a reload or a sign-in leads back to."""
    return RedirectResponse(f"{_address(code)}#activity-{activity_id}", 303)


@router.get("/courses/{code}/completion")
def back_to_course(code: str, person: Person) -> Response:  # noqa: ARG001
    """The same."""
    return RedirectResponse(_address(code), 303)


@router.post("/courses/{code}/lessons/{activity_id}")
def do_lesson(request: Request, code: str, activity_id: Number, person: Person, registration: Registration) -> Response:
    """Mark a lesson as done."""
    try:
        with transaction() as session:
            _must_be_mine(session, person.user, code, registration)
            record_progress(session, person.actor, registration, activity_id, 100)
    except Refused as refusal:
        return _refused(request, person, code, refusal, at=activity_id)
    return _back(code, "lesson", activity_id)


@router.post(
    "/courses/{code}/attempts/{activity_id}",
    form_limits={"max_files": 1, "max_fields": 10, "max_part_size": LONGEST_PART},
)
def hand_in_attempt(
    request: Request,
    code: str,
    activity_id: Number,
    person: Person,
    registration: Registration,
    body: Words = "",
    file: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """Hand in an assignment or a practical assessment, with a file or words or both."""
    try:
        if is_cut_off(request):
            raise FileTooLarge(settings().file_limit_mb)
        with transaction() as session:
            _must_be_mine(session, person.user, code, registration)
            if not file or not file.filename:
                hand_in(session, person.actor, registration, activity_id, body=body)
        if file and file.filename:
            hand_in_file(person.actor, registration, activity_id, body=body, filename=file.filename, content=file.file)
    except Refused as refusal:
        file_gone = file is not None and bool(file.filename)
        return _refused(request, person, code, refusal, at=activity_id, kept=body, file_gone=file_gone)
    return _back(code, "attempt", activity_id)


@router.post("/courses/{code}/posts/{activity_id}")
def post_in_discussion(
    request: Request, code: str, activity_id: Number, person: Person, registration: Registration, body: Words = ""
) -> Response:
    """Write in a discussion."""
    try:
        with transaction() as session:
            _must_be_mine(session, person.user, code, registration)
            write_post(session, person.actor, registration, activity_id, body)
    except Refused as refusal:
        return _refused(request, person, code, refusal, at=activity_id, kept=body)
    return _back(code, "post", activity_id)


@router.post("/courses/{code}/completion")
def complete_course(request: Request, code: str, person: Person, registration: Registration) -> Response:
    """Complete the course."""
    try:
        with transaction() as session:
            _must_be_mine(session, person.user, code, registration)
            complete(session, person.actor, registration)
    except Refused as refusal:
        return _refused(request, person, code, refusal)
    return RedirectResponse(f"{_address(code)}?done=complete", 303)


@router.get("/files/{file_id}")
def download(file_id: Number, person: Person) -> Response:
    """A file that was handed in."""
    file = open_file(person.actor, file_id)
    headers = {"Content-Disposition": file.disposition, "Content-Length": str(file.size)}
    return StreamingResponse(file.content, media_type=file.content_type, headers=headers)


def _mine(session: Session, user: User, code: str) -> TrainingLine:
    """The course as it is assigned to the user. Raises `CourseNotAssigned`, `CourseUnknown`."""
    return assigned_course(session, user, code, whom="you")


def _must_be_mine(session: Session, user: User, code: str, registration: UUID) -> None:
    """A registration is a secret of nobody's, so it alone must not let anyone write in another's name."""
    if _mine(session, user, code).registration != registration:
        raise StaleRegistration


def _back(code: str, done: str, activity_id: int) -> Response:
    return RedirectResponse(f"{_address(code)}?done={done}#activity-{activity_id}", 303)


def _address(code: str) -> str:
    return f"/my/courses/{quote(code, safe='')}"
