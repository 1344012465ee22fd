"""The dialog *Reset course progress* for a list of learners: from a file, or from users selected on the users' page."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, File, Request, UploadFile
from fastapi.responses import RedirectResponse, Response

from models.audience_lists import AudienceList
from models.refusals.audience_lists import AudienceTooLarge, NobodySelected
from models.refusals.base import Refused
from models.resets import Audience
from models.session import Session, transaction
from models.training import Course
from tasks.imports import Form
from tasks.reset.lists import MOST_LINES, list_from_file, list_of, seen_list
from tasks.reset.plan import Options
from web.access import UsersAdmin
from web.bodies.cut_off import is_cut_off
from web.database import Database
from web.left_out_csv import left_out_csv
from web.pages.reset_dialog import COURSE, LIST, SkipDays, ask_for_file, confirm, plan_and_show
from web.pages.reset_form import ResetForm

router = APIRouter()

LONGEST_PART = 16 * 1024  # bytes of one field, which is held in memory


@router.post(COURSE + "/list", form_limits={"max_files": 1, "max_fields": 10, "max_part_size": LONGEST_PART})
def take_file(
    request: Request, code: str, person: UsersAdmin, file: Annotated[UploadFile | None, File()] = None
) -> Response:
    """Make a list of the learners whom the file names, and show what a reset would remove for them."""
    try:
        if is_cut_off(request):
            raise AudienceTooLarge(MOST_LINES)
        if not file or not file.filename:
            raise NobodySelected
        form = Form.NDJSON if file.filename.lower().endswith((".ndjson", ".jsonl")) else Form.CSV
        with transaction() as session:
            made = list_from_file(session, person.actor, code, file.file, form)
    except Refused as refusal:
        with transaction() as session:
            return ask_for_file(request, session, person, code, refusal)
    return RedirectResponse(LIST.format(list_id=made.id), 303)


@router.get(LIST)
def list_dialog(
    request: Request, list_id: UUID, person: UsersAdmin, session: Database, skip_completed_days: SkipDays = ""
) -> Response:
    """Show what a reset would remove for the learners of a list, and the form to confirm it."""
    made = list_of(session, person.actor, list_id)
    options = Options(audience=Audience.LIST, list_id=made.id)
    return plan_and_show(request, session, person, _code_of(session, made), options, skip_completed_days)


@router.post(LIST)
def reset_list(request: Request, list_id: UUID, person: UsersAdmin, typed: ResetForm) -> Response:
    """Reset the course for the learners of a list."""
    with transaction() as session:
        code = _code_of(session, seen_list(session, person.actor, list_id))
    return confirm(request, person, code, None, typed, list_id)


@router.get(LIST + "/lines.csv")
def lines(list_id: UUID, person: UsersAdmin, session: Database) -> Response:
    """Download the lines of a list that name no learner."""
    made = seen_list(session, person.actor, list_id)
    return left_out_csv(made.id)


def _code_of(session: Session, made: AudienceList) -> str:
    return session.get_one(Course, made.course_id).code
