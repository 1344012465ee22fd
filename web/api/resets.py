"""Resets: list them, read one and its learners, pause, resume and cancel it, retry its failed learners."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Response

from models.access import Actor, Permission
from models.resets import ItemState, Reset, ResetState
from models.session import Session
from models.tokens import Scope
from tasks.report import progress_of_each
from tasks.reset.cancel import cancel
from tasks.reset.lookup import items_of, reset_seen_by, resets_seen_by
from tasks.reset.move import move
from tasks.reset.pause import pause_reset, resume_reset
from tasks.reset.retry_failed import retry_failed
from web.access import program_with
from web.api.json_route import JsonRoute
from web.api.paging import Page, page_of
from web.api.parameters import ResetId
from web.api.responses import PAGED, RETRY_AFTER, TEXT, WAIT_SECONDS, Responses, problems
from web.api.schemas.base import NO_NUL
from web.api.schemas.resets import (
    PauseReason,
    ResetDetails,
    ResetLearner,
    ResetLearnerList,
    ResetList,
    ResetMove,
    details_of,
    summary_of,
    version_of,
)
from web.database import Database

router = APIRouter(tags=["resets"], route_class=JsonRoute)

Reader = Annotated[Actor, Depends(program_with(Scope.RESETS_READ, Permission.COURSES, Permission.USERS))]
Writer = Annotated[Actor, Depends(program_with(Scope.RESETS_WRITE, Permission.COURSES, Permission.USERS))]
IfNoneMatch = Annotated[
    str, Header(alias="If-None-Match", max_length=2000, description="The `ETag` of an earlier answer")
]

FOUND: Responses = {
    200: {
        "headers": {
            "ETag": {
                "description": "Changes when anything but `seconds`, `learners_per_second` and `seconds_left` does",
                **TEXT,
            },
            **RETRY_AFTER,
        }
    },
    304: {"description": "Nothing has changed since `If-None-Match`"},
}
ACCEPTED: Responses = {202: {"description": "The request is recorded and the job notified", "headers": RETRY_AFTER}}


@router.get(
    "/resets",
    operation_id="listResets",
    response_model=ResetList,
    responses=PAGED | problems("forbidden"),
)
def list_resets(
    actor: Reader,
    session: Database,
    page: Annotated[Page, page_of(datetime, UUID)],
    state: Annotated[list[ResetState] | None, Query(description="Only these states; can be repeated")] = None,
    course: Annotated[str | None, Query(max_length=200, pattern=NO_NUL, description="Only this course")] = None,
    idempotency_key: Annotated[
        str | None,
        Query(max_length=2000, pattern=NO_NUL, description="Only the reset requested by a message with this key"),
    ] = None,
) -> ResetList:
    """List resets, latest first: who reset what, when and why."""
    found = resets_seen_by(
        session,
        actor,
        states=state or (),
        course_code=course,
        idempotency_key=idempotency_key,
        before=page.after,
        limit=page.limit,
    )
    lines = page.cut(found, lambda line: (line.reset.requested_at, line.reset.id))
    progress = progress_of_each(session, [line.reset.id for line in lines])
    return ResetList(items=[summary_of(line, progress[line.reset.id]) for line in lines])


@router.get(
    "/resets/{reset_id:uuid}",
    operation_id="getReset",
    response_model=ResetDetails,
    responses=FOUND | problems("reset-unknown", "forbidden"),
)
def get_reset(
    answer: Response,
    reset_id: ResetId,
    actor: Reader,
    session: Database,
    if_none_match: Annotated[
        str, Header(alias="If-None-Match", max_length=2000, description="The `ETag` of an earlier answer")
    ] = "",
) -> Any:
    """Get a reset: its state, its progress, what it removed. Poll it while `done` is false, or watch its events."""
    details = details_of(session, reset_seen_by(session, actor, reset_id))
    tag = f'W/"{version_of(details)}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if not details.done:
        headers["Retry-After"] = str(WAIT_SECONDS)
    if _matches(if_none_match, tag):
        return Response(status_code=304, headers=headers)
    answer.headers.update(headers)
    return details


@router.get(
    "/resets/{reset_id:uuid}/items",
    operation_id="listResetLearners",
    response_model=ResetLearnerList,
    responses=PAGED | problems("reset-unknown", "forbidden", "details-deleted"),
)
def list_learners(
    reset_id: ResetId,
    actor: Reader,
    session: Database,
    page: Annotated[Page, page_of(int, items=100)],
    state: Annotated[ItemState | None, Query(description="Only this outcome")] = None,
) -> ResetLearnerList:
    """List a reset's learners, each with the outcome."""
    reset = reset_seen_by(session, actor, reset_id)
    found = items_of(session, reset, state=state, after=page.after[0] if page.after else 0, limit=page.limit)
    items = page.cut(found, lambda one: (one.enrolment_id,))
    return ResetLearnerList(items=[ResetLearner.model_validate(one) for one in items])


@router.post(
    "/resets/{reset_id:uuid}:cancel",
    operation_id="cancelReset",
    status_code=202,
    response_model=ResetDetails,
    responses=ACCEPTED | problems("reset-unknown", "forbidden", "already-settled", "body-too-large"),
)
def cancel_reset(answer: Response, reset_id: ResetId, actor: Writer, session: Database) -> ResetDetails:
    """Cancel a reset. Learners already reset stay reset; no others are touched. Repeating it changes nothing."""
    reset = reset_seen_by(session, actor, reset_id)
    cancel(session, actor, reset)
    return _accepted(session, answer, reset)


@router.post(
    "/resets/{reset_id:uuid}:pause",
    operation_id="pauseReset",
    status_code=202,
    response_model=ResetDetails,
    responses=ACCEPTED
    | problems("reset-unknown", "forbidden", "already-settled", "pause-reason-missing", "body-too-large"),
)
def pause_one(answer: Response, reset_id: ResetId, body: PauseReason, actor: Writer, session: Database) -> ResetDetails:
    """Pause a reset, planned or running. Learners who are being reset are finished; no others begin.

    It can be cancelled meanwhile.
    """
    reset = reset_seen_by(session, actor, reset_id)
    pause_reset(session, actor, reset, body.reason)
    return _accepted(session, answer, reset)


@router.post(
    "/resets/{reset_id:uuid}:resume",
    operation_id="resumeReset",
    status_code=202,
    response_model=ResetDetails,
    responses=ACCEPTED | problems("reset-unknown", "forbidden", "paused-more-widely", "body-too-large"),
)
def resume_one(answer: Response, reset_id: ResetId, actor: Writer, session: Database) -> ResetDetails:
    """Resume a paused reset. Repeating it changes nothing."""
    reset = reset_seen_by(session, actor, reset_id)
    resume_reset(session, actor, reset)
    return _accepted(session, answer, reset)


@router.post(
    "/resets/{reset_id:uuid}:move",
    operation_id="moveReset",
    response_model=ResetDetails,
    responses=problems(
        "reset-unknown", "forbidden", "already-begun", "start-at-invalid", "reason-missing", "body-too-large"
    ),
)
def move_reset(reset_id: ResetId, body: ResetMove, actor: Writer, session: Database) -> ResetDetails:
    """Change a planned reset before it begins: its start, reason or due date, or whether learners are alerted.

    To call it off, cancel it.
    """
    reset = reset_seen_by(session, actor, reset_id)
    move(session, actor, reset, **body.model_dump(exclude_unset=True))
    return details_of(session, reset)


@router.post(
    "/resets/{reset_id:uuid}:retry-failed",
    operation_id="retryFailedLearners",
    status_code=202,
    response_model=ResetDetails,
    responses=ACCEPTED
    | problems("reset-unknown", "forbidden", "nothing-to-retry", "details-deleted", "not-yet-over", "body-too-large"),
)
def retry_failed_learners(answer: Response, reset_id: ResetId, actor: Writer, session: Database) -> ResetDetails:
    """Retry the learners whose reset failed, and no others."""
    reset = reset_seen_by(session, actor, reset_id)
    retry_failed(session, actor, reset)
    return _accepted(session, answer, reset)


def _accepted(session: Session, answer: Response, reset: Reset) -> ResetDetails:
    session.flush()
    answer.headers["Retry-After"] = str(WAIT_SECONDS)
    return details_of(session, reset)


def _matches(if_none_match: str, tag: str) -> bool:
    """Returns whether the header names the tag, by the weak comparison of RFC 9110."""
    named = {one.strip().removeprefix("W/") for one in if_none_match.split(",")}
    return "*" in named or tag.removeprefix("W/") in named
