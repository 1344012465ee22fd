"""What a learner does in a course: lessons, work handed in, posts, completion.

Each form carries the registration its page was rendered with, so anything typed before a reset is refused after it.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import RedirectResponse, Response

from config.settings import settings
from models.refusals.base import Refused
from models.refusals.files import FileTooLarge
from models.session import transaction
from tasks.people.learning import complete, hand_in, hand_in_file, record_progress, write_post
from tasks.people.own_courses import check_own_registration
from web.access import Person
from web.bodies.cut_off import is_cut_off
from web.numbers import Number
from web.pages.my_course import address, refused

router = APIRouter(prefix="/my/courses/{code}")

Registration = Annotated[UUID, Form()]
Words = Annotated[str, Form(max_length=20_000)]

LONGEST_PART = 256 * 1024  # bytes of one field, which is held in memory


@router.post("/lessons/{activity_id}")
def do_lesson(request: Request, code: str, activity_id: Number, person: Person, registration: Registration) -> Response:
    """Mark a lesson as done."""
    try:
        with transaction() as session:
            check_own_registration(session, person.user, code, registration)
            record_progress(session, person.actor, registration, activity_id, 100)
    except Refused as refusal:
        return refused(request, person, code, refusal, at=activity_id)
    return _back(code, "lesson", activity_id)


@router.post("/attempts/{activity_id}", form_limits={"max_files": 1, "max_fields": 10, "max_part_size": LONGEST_PART})
def hand_in_attempt(
    request: Request,
    code: str,
    activity_id: Number,
    person: Person,
    registration: Registration,
    body: Words = "",
    file: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """Hand in an assignment or a practical assessment: text, a file, or both."""
    try:
        if is_cut_off(request):
            raise FileTooLarge(settings().file_limit_mb)
        with transaction() as session:
            check_own_registration(session, person.user, code, registration)
            if not file or not file.filename:
                hand_in(session, person.actor, registration, activity_id, body=body)
        if file and file.filename:
            hand_in_file(person.actor, registration, activity_id, body=body, filename=file.filename, content=file.file)
    except Refused as refusal:
        file_gone = file is not None and bool(file.filename)
        return refused(request, person, code, refusal, at=activity_id, kept=body, file_gone=file_gone)
    return _back(code, "attempt", activity_id)


@router.post("/posts/{activity_id}")
def post_in_discussion(
    request: Request, code: str, activity_id: Number, person: Person, registration: Registration, body: Words = ""
) -> Response:
    """Post in a discussion."""
    try:
        with transaction() as session:
            check_own_registration(session, person.user, code, registration)
            write_post(session, person.actor, registration, activity_id, body)
    except Refused as refusal:
        return refused(request, person, code, refusal, at=activity_id, kept=body)
    return _back(code, "post", activity_id)


@router.post("/completion")
def complete_course(request: Request, code: str, person: Person, registration: Registration) -> Response:
    """Complete the course."""
    try:
        with transaction() as session:
            check_own_registration(session, person.user, code, registration)
            complete(session, person.actor, registration)
    except Refused as refusal:
        return refused(request, person, code, refusal)
    return RedirectResponse(f"{address(code)}?done=complete", 303)


def _back(code: str, done: str, activity_id: int) -> Response:
    return RedirectResponse(f"{address(code)}?done={done}#activity-{activity_id}", 303)
