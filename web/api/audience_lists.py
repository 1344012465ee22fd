"""Plan a reset for a list of learners, from a file; read the lines that name no learner."""

from datetime import datetime
from typing import Annotated, Any, BinaryIO
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import AwareDatetime

from models.access import Actor, Permission
from models.audience_lists import lines_left_out
from models.resets import Audience
from models.session import Session
from models.tokens import Scope
from tasks.imports import Form
from tasks.reset.impact import preview
from tasks.reset.lists import list_from_file, seen_list
from tasks.reset.plan import LONGEST_DUE_IN_DAYS, LONGEST_SKIP_COMPLETED_DAYS
from tasks.rules.ahead import ahead_of
from web.access import program_with
from web.api.analytics import PAGED_OR_CSV, WantsCsv
from web.api.import_files import run_import
from web.api.paging import Page, page_of
from web.api.parameters import CourseCode
from web.api.responses import problems
from web.api.schemas.audience_lists import LeftOutLine, LeftOutLineList
from web.api.schemas.base import NO_NUL
from web.api.schemas.plans import ResetPlan, plan_of
from web.database import Database
from web.left_out_csv import left_out_csv

router = APIRouter(tags=["resets"])

FOR_PLANNERS = Depends(program_with(Scope.RESETS_WRITE, Permission.USERS))
Planner = Annotated[Actor, FOR_PLANNERS]
ListId = Annotated[UUID, Path(description="`audience_list.id` of the plan")]

FILE = "email,due_at\nada@acme.example,2027-03-31\nben@acme.example,\n"
LINES = '{"external_id": "p-4711", "due_at": "2027-03-31T12:00:00Z"}\n'
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string"}, "example": FILE},
            "application/x-ndjson": {"schema": {"type": "string"}, "example": LINES},
        },
    }
}


@router.post(
    "/courses/{code}/reset-plans:from-list",
    operation_id="planResetOfList",
    status_code=201,
    response_model=ResetPlan,
    dependencies=[FOR_PLANNERS],
    responses=problems(
        "course-unknown",
        "forbidden",
        "audience-file-invalid",
        "audience-too-large",
        "start-at-invalid",
        "media-type-unsupported",
        "body-too-large",
    ),
    openapi_extra=BODY,
)
async def plan_reset_of_list(
    request: Request,
    code: CourseCode,
    reason: Annotated[str, Query(max_length=2000, pattern=NO_NUL, description="Kept in the audit")] = "",
    due_in_days: Annotated[
        int | None, Query(ge=1, le=LONGEST_DUE_IN_DAYS, description="For learners without a `due_at` of their own")
    ] = None,
    notify: Annotated[bool, Query(description="Whether to alert learners")] = True,
    start_at: Annotated[AwareDatetime | None, Query(description="The earliest start, within 365 days")] = None,
    skip_completed_days: Annotated[
        int | None,
        Query(
            ge=1,
            le=LONGEST_SKIP_COMPLETED_DAYS,
            description="Leave out learners who completed the course within so many days before the plan",
        ),
    ] = None,
) -> ResetPlan:
    """Plan a reset for the learners whom a file names, up to 100,000.

    Columns: `email` or `external_id`; optional: `due_at`, the learner's new due date. Lines that name no learner are
    counted in `audience_list` and listed under `/v1/audience-lists/{list_id}/lines`. Nothing is reset before the plan
    is confirmed. Requires the permission *Platform management: Users*.
    """

    def run(session: Session, actor: Actor, file: BinaryIO, form: Form) -> ResetPlan:
        made = list_from_file(session, actor, code, file, form)
        start: datetime | None = start_at
        seen = preview(
            session,
            actor,
            code,
            about=True,
            audience=Audience.LIST,
            list_id=made.id,
            reason=reason.strip(),
            due_in_days=due_in_days,
            notify=notify,
            start_at=start,
            skip_completed_days=skip_completed_days,
        )
        ahead = ahead_of(session, actor, seen.plan.course_id, seen.plan.course_code)
        return plan_of(seen, None, made, ahead)

    return await run_import(request, run, scope=Scope.RESETS_WRITE)


@router.get(
    "/audience-lists/{list_id}/lines",
    operation_id="listLinesLeftOut",
    response_model=LeftOutLineList,
    responses=PAGED_OR_CSV | problems("audience-list-unknown", "forbidden"),
)
def left_out(
    list_id: ListId,
    actor: Planner,
    session: Database,
    page: Annotated[Page, page_of(int, items=100)],
    wants_csv: WantsCsv,
) -> Any:
    """List the lines of your list that name no learner, and why."""
    made = seen_list(session, actor, list_id)
    if wants_csv:
        return left_out_csv(made.id)
    found = lines_left_out(session, made.id, after=page.after[0] if page.after else 0, limit=page.limit)
    lines = page.cut(found, lambda line: (line.line,))
    return LeftOutLineList(items=[LeftOutLine.model_validate(line) for line in lines])
