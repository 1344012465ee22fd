"""Resets: ask for one, look at it, stop it, try its failed learners again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from models.access import Actor, Permission
from models.directory import course_of, user_of
from models.resets import ItemState, Reset, ResetState
from models.session import Session
from models.tokens import Scope
from tasks.report import progress_of_each
from tasks.reset.cancel import cancel
from tasks.reset.lookup import items_of, reset_seen_by, resets_seen_by
from tasks.reset.plan import opened_for
from tasks.reset.request import request_reset
from tasks.reset.retry_failed import retry_failed
from web.access import program_with
from web.api import reset_answer
from web.api.body import JsonRoute
from web.api.document import problems
from web.api.fields import (
    LISTED,
    NO_NUL,
    After,
    Answer,
    Body,
    CourseCode,
    IdempotencyKey,
    Limit,
    UserId,
)
from web.api.once import once
from web.api.paging import Page
from web.api.plans import Reason
from web.api.reset_answer import WAIT_SECONDS, ResetAnswer, ResetInList
from web.database import Database

router = APIRouter(tags=["resets"], route_class=JsonRoute)

Reader = Annotated[Actor, Depends(program_with(Scope.RESETS_READ))]
Writer = Annotated[Actor, Depends(program_with(Scope.RESETS_WRITE))]

TEXT: dict[str, Any] = {"schema": {"type": "string"}}
RETRY_AFTER = {"Retry-After": {"description": "Seconds until it is worth asking again", **TEXT}}
ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "model": ResetAnswer,
        "description": "Written down; the job is sent",
        "headers": {
            "Location": {"description": "The reset's address", **TEXT},
            **RETRY_AFTER,
            "Idempotent-Replayed": {"description": "`true` if this was done before under the same key", **TEXT},
        },
    }
}
TAKEN: dict[int | str, dict[str, Any]] = {202: {"description": "Written down; the job is sent", "headers": RETRY_AFTER}}
FOUND: dict[int | str, dict[str, Any]] = {
    200: {"headers": {"ETag": {"description": "Changes when anything but `seconds` does", **TEXT}, **RETRY_AFTER}},
    304: {"description": "Nothing has changed since `If-None-Match`"},
}
REQUEST_PROBLEMS = problems(
    "course-unknown",
    "user-unknown",
    "forbidden",
    "plan-invalid",
    "plan-expired",
    "plan-outdated",
    "confirm-mismatch",
    "reason-missing",
    "already-resetting",
    "idempotency-key-missing",
    "idempotency-in-progress",
    "idempotency-mismatch",
    "body-too-large",
)


class Confirmation(Body):
    """A plan, confirmed."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"plan": "eyJpZCI6…", "confirm": "SAFETY-101"}]})

    plan: str = Field(max_length=100_000, pattern=NO_NUL, description="`plan` of the answer to the planning")
    confirm: str = Field(max_length=200, pattern=NO_NUL, description="The course code, since it cannot be undone")
    reason: Reason = ""


class Resets(Answer):
    """Some resets, latest first."""

    items: list[ResetInList]


class Item(Answer):
    """What became of one learner."""

    user_id: int
    name: str
    email: str
    state: ItemState
    reason: str | None = Field(description="Why they were skipped, or what failed")


class Items(Answer):
    """Some learners of a reset."""

    items: list[Item]


@router.post(
    "/courses/{code}/resets",
    operation_id="requestReset",
    status_code=202,
    response_model=None,
    responses=ACCEPTED | REQUEST_PROBLEMS,
)
def request_reset_of_course(
    request: Request, code: CourseCode, body: Confirmation, actor: Writer, session: Database, key: IdempotencyKey = None
) -> JSONResponse:
    """Reset a course as planned. **It cannot be undone.**"""
    actor.must_have_one_of(Permission.COURSES, Permission.USERS)
    course_of(session, actor.organization_id, code)
    return once(session, actor, request, key, body, lambda: _request(session, actor, body, code))


@router.post(
    "/users/{user_id}/courses/{code}/resets",
    operation_id="requestResetOfUser",
    status_code=202,
    response_model=None,
    responses=ACCEPTED | REQUEST_PROBLEMS,
)
def request_reset_of_user(
    request: Request,
    user_id: UserId,
    code: CourseCode,
    body: Confirmation,
    actor: Writer,
    session: Database,
    key: IdempotencyKey = None,
) -> JSONResponse:
    """Reset a course for one user as planned. It needs the permission *Platform management: Users*."""
    actor.must_have(Permission.USERS)
    user = user_of(session, actor.organization_id, user_id)
    course_of(session, actor.organization_id, code)
    return once(session, actor, request, key, body, lambda: _request(session, actor, body, code, user.id))


def _request(
    session: Session, actor: Actor, body: Confirmation, code: str, user_id: int | None = None
) -> tuple[int, Mapping[str, str], BaseModel]:
    opened_for(body.plan, code, user_id)  # the address is part of the confirmation
    reset = request_reset(session, actor, plan=body.plan, confirm=body.confirm, reason=body.reason)
    headers = {"Location": f"/v1/resets/{reset.id}", "Retry-After": str(WAIT_SECONDS)}
    return 202, headers, reset_answer.of(session, reset)


@router.get(
    "/resets",
    operation_id="listResets",
    response_model=Resets,
    responses=LISTED | problems("forbidden"),
)
def list_resets(
    request: Request,
    answer: Response,
    actor: Reader,
    session: Database,
    state: Annotated[list[ResetState] | None, Query(description="Only of this state; can be given again")] = None,
    course: Annotated[str | None, Query(max_length=200, pattern=NO_NUL, description="Only of this course")] = None,
    idempotency_key: Annotated[
        str | None,
        Query(max_length=2000, pattern=NO_NUL, description="Only the one that was asked for by message with this key"),
    ] = None,
    after: After = "",
    limit: Limit = 50,
) -> Resets:
    """The resets, latest first: who reset what, when and why."""
    actor.must_have_one_of(Permission.COURSES, Permission.USERS)
    page = Page(request, answer, after, limit, (datetime, UUID))
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
    return Resets(items=[reset_answer.in_list(line, progress[line.reset.id]) for line in lines])


@router.get(
    "/resets/{reset_id:uuid}",
    operation_id="getReset",
    response_model=ResetAnswer,
    responses=FOUND | problems("reset-unknown", "forbidden"),
)
def get_reset(
    answer: Response,
    reset_id: UUID,
    actor: Reader,
    session: Database,
    if_none_match: Annotated[str, Header(max_length=2000, description="An `ETag` of an earlier answer")] = "",
) -> Any:
    """One reset: its state, how far it is, what it removed. Ask again while `done` is false, or open its events."""
    found = reset_answer.of(session, _seen(session, actor, reset_id))
    tag = f'W/"{reset_answer.mark(found)}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if not found.done:
        headers["Retry-After"] = str(WAIT_SECONDS)
    if _same(if_none_match, tag):
        return Response(status_code=304, headers=headers)
    answer.headers.update(headers)
    return found


@router.get(
    "/resets/{reset_id:uuid}/items",
    operation_id="listItems",
    response_model=Items,
    responses=LISTED | problems("reset-unknown", "forbidden", "details-deleted"),
)
def list_items(
    request: Request,
    answer: Response,
    reset_id: UUID,
    actor: Reader,
    session: Database,
    state: Annotated[ItemState | None, Query(description="Only of this outcome")] = None,
    after: After = "",
    limit: Limit = 100,
) -> Items:
    """What became of each learner."""
    reset = _seen(session, actor, reset_id)
    page = Page(request, answer, after, limit, (int,))
    found = items_of(session, reset, state=state, after=page.after[0] if page.after else 0, limit=page.limit)
    return Items(items=[Item.model_validate(one) for one in page.cut(found, lambda one: (one.enrolment_id,))])


@router.post(
    "/resets/{reset_id:uuid}:cancel",
    operation_id="cancelReset",
    status_code=202,
    response_model=ResetAnswer,
    responses=TAKEN | problems("reset-unknown", "forbidden", "already-settled", "body-too-large"),
)
def cancel_reset(answer: Response, reset_id: UUID, actor: Writer, session: Database) -> ResetAnswer:
    """Stop a reset. Whoever has been reset by then stays reset; nobody further is touched. Twice is as once."""
    reset = _seen(session, actor, reset_id)
    cancel(session, actor, reset)
    return _taken(session, answer, reset)


@router.post(
    "/resets/{reset_id:uuid}:retry-failed",
    operation_id="retryFailed",
    status_code=202,
    response_model=ResetAnswer,
    responses=TAKEN
    | problems("reset-unknown", "forbidden", "nothing-to-retry", "details-deleted", "not-yet-over", "body-too-large"),
)
def retry_failed_of_reset(answer: Response, reset_id: UUID, actor: Writer, session: Database) -> ResetAnswer:
    """Try those learners again who failed, and nobody else."""
    reset = _seen(session, actor, reset_id)
    retry_failed(session, actor, reset)
    return _taken(session, answer, reset)


def _seen(session: Session, actor: Actor, reset_id: UUID) -> Reset:
    actor.must_have_one_of(Permission.COURSES, Permission.USERS)  # who may see none, learns of none
    return reset_seen_by(session, actor, reset_id)


def _taken(session: Session, answer: Response, reset: Reset) -> ResetAnswer:
    session.flush()
    answer.headers["Retry-After"] = str(WAIT_SECONDS)
    return reset_answer.of(session, reset)


def _same(if_none_match: str, tag: str) -> bool:
    """Whether the header names the tag: compared weakly, as RFC 9110 has it."""
    named = {one.strip().removeprefix("W/") for one in if_none_match.split(",")}
    return "*" in named or tag.removeprefix("W/") in named
