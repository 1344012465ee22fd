"""What a learner does: their courses, and taking one.

Each form carries the registration that its page was made for, so that what was typed before a reset is refused after.
"""

from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import RedirectResponse, Response, StreamingResponse
from sqlalchemy.orm import Session

from models.coursework import steps_of
from models.directory import TrainingLine, course_of, training_of
from models.files import attach, open_file
from models.learning import complete, post, record_progress, submit
from models.people import User
from models.refusals import CourseUnknown, NothingHandedIn, NotYetDone, Refused, StaleRegistration
from models.session import transaction
from models.training import EnrolmentState
from models.uploads import receive
from web.access import Person, SignedIn
from web.database import Database
from web.numbers import Number
from web.problems import status_of
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
) -> Response:
    """The course's page; `error` stands at the activity `at`, with the words that were `kept`."""
    mine = _mine(session, user, code)
    course = course_of(session, user.organization_id, code)
    steps = steps_of(session, course.id, mine.registration)
    return page(
        request,
        "my_course.html",
        status=status_of(error) if error else 200,
        error=error,
        at=at,
        kept=kept,
        course=course,
        mine=mine,
        steps=steps,
        all_done=bool(steps) and all(step.done for step in steps),
        done=done,
    )


@router.post("/courses/{code}/lessons/{activity_id}")
def do_lesson(
    code: str, activity_id: Number, person: Person, session: Database, registration: Registration
) -> Response:
    """Mark a lesson as done."""
    _must_be_mine(session, person.user, code, registration)
    record_progress(session, registration, activity_id, 100)
    return _back(code, "lesson", activity_id)


@router.post(
    "/courses/{code}/attempts/{activity_id}",
    form_limits={"max_files": 1, "max_fields": 10, "max_part_size": LONGEST_PART},
)
def hand_in(
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
        _hand_in(person, code, activity_id, registration, body.strip(), file)
    except Refused as refusal:  # what was written is not lost with it
        with transaction() as session:
            return _course(request, session, person.user, code, error=refusal, at=activity_id, kept=body)
    return _back(code, "attempt", activity_id)


def _hand_in(
    person: SignedIn, code: str, activity_id: int, registration: UUID, body: str, file: UploadFile | None
) -> None:
    has_file = file is not None and bool(file.filename)
    if not body and not has_file:
        raise NothingHandedIn
    with transaction() as session:  # what is nobody's to hand in is not stored
        _must_be_mine(session, person.user, code, registration)
    # Outside of any transaction: a slow line must hold no lock.
    upload = receive(person.user.organization_id, file.filename or "", file.file) if file and has_file else None
    with transaction() as session:
        _must_be_mine(session, person.user, code, registration)
        submission = submit(session, registration, activity_id, body=body)
        if upload:
            attach(session, submission, upload)


@router.post("/courses/{code}/posts/{activity_id}")
def write_post(
    request: Request, code: str, activity_id: Number, person: Person, registration: Registration, body: Words = ""
) -> Response:
    """Write in a discussion."""
    try:
        if not body.strip():
            raise NothingHandedIn
        with transaction() as session:
            _must_be_mine(session, person.user, code, registration)
            post(session, registration, activity_id, body.strip())
    except Refused as refusal:
        with transaction() as session:
            return _course(request, session, person.user, code, error=refusal, at=activity_id, kept=body)
    return _back(code, "post", activity_id)


@router.post("/courses/{code}/completion")
def complete_course(code: str, person: Person, session: Database, registration: Registration) -> Response:
    """Complete the course, once everything in it is done."""
    _must_be_mine(session, person.user, code, registration)
    course = course_of(session, person.user.organization_id, code)
    steps = steps_of(session, course.id, registration)
    if not steps or not all(step.done for step in steps):
        raise NotYetDone
    complete(session, registration)
    return RedirectResponse(f"/my/courses/{quote(code, safe='')}?done=complete", 303)


@router.get("/files/{file_id}")
def download(file_id: Number, person: Person) -> Response:
    """A file that was handed in."""
    file = open_file(person.actor, file_id)
    headers = {"Content-Disposition": file.disposition, "Content-Length": str(file.size)}
    return StreamingResponse(file.content, media_type=file.content_type, headers=headers)


def _mine(session: Session, user: User, code: str) -> TrainingLine:
    """The course as it is assigned to the user. Raises `CourseUnknown`, also for a course that is not."""
    found = training_of(session, user, code)
    if not found:
        raise CourseUnknown(code)
    return found[0]


def _must_be_mine(session: Session, user: User, code: str, registration: UUID) -> None:
    """A registration is a secret of nobody's, so it alone must not let anyone write in another's name."""
    if _mine(session, user, code).registration != registration:
        raise StaleRegistration


def _back(code: str, done: str, activity_id: int) -> Response:
    return RedirectResponse(f"/my/courses/{quote(code, safe='')}?done={done}#activity-{activity_id}", 303)
