"""Request a reset: confirm its plan."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from models.access import Actor, Permission
from models.directory import course_of, user_of
from models.session import Session
from models.tokens import Scope
from tasks.reset.plan import opened_for
from tasks.reset.request import request_reset
from web.access import program_with
from web.api.idempotency import IdempotencyKey, once
from web.api.json_route import JsonRoute
from web.api.parameters import CourseCode, UserId
from web.api.responses import ONCE, RETRY_AFTER, WAIT_SECONDS, Responses, problems
from web.api.schemas.resets import ResetConfirmation, ResetDetails, details_of
from web.database import Database

router = APIRouter(tags=["resets"], route_class=JsonRoute)

Requester = Annotated[Actor, Depends(program_with(Scope.RESETS_WRITE, Permission.COURSES, Permission.USERS))]
UsersRequester = Annotated[Actor, Depends(program_with(Scope.RESETS_WRITE, Permission.USERS))]

ACCEPTED: Responses = {
    202: {
        "model": ResetDetails,
        "description": "The reset is recorded and its job sent",
        "headers": ONCE | RETRY_AFTER,
    }
}
RESPONSES = ACCEPTED | problems(
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


@router.post(
    "/courses/{code}/resets",
    operation_id="requestReset",
    status_code=202,
    response_model=None,
    responses=RESPONSES,
)
def request_reset_of_course(
    request: Request,
    code: CourseCode,
    body: ResetConfirmation,
    actor: Requester,
    session: Database,
    key: IdempotencyKey,
) -> JSONResponse:
    """Reset a course as planned. **This cannot be undone.**"""
    course = course_of(session, actor.organization_id, code)
    return once(session, actor, request, key, body, lambda: _request(session, actor, body, course.code))


@router.post(
    "/users/{user_id}/courses/{code}/resets",
    operation_id="requestResetOfUser",
    status_code=202,
    response_model=None,
    responses=RESPONSES,
)
def request_reset_of_user(
    request: Request,
    user_id: UserId,
    code: CourseCode,
    body: ResetConfirmation,
    actor: UsersRequester,
    session: Database,
    key: IdempotencyKey,
) -> JSONResponse:
    """Reset a course for one user as planned. **This cannot be undone.**

    Requires the permission *Platform management: Users*.
    """
    user = user_of(session, actor.organization_id, user_id)
    course = course_of(session, actor.organization_id, code)
    return once(session, actor, request, key, body, lambda: _request(session, actor, body, course.code, user.id))


def _request(
    session: Session, actor: Actor, body: ResetConfirmation, code: str, user_id: int | None = None
) -> tuple[int, Mapping[str, str], BaseModel]:
    opened_for(body.plan, code, user_id)  # the address is part of the confirmation
    reset = request_reset(session, actor, plan=body.plan, confirm=body.confirm, reason=body.reason)
    headers = {"Location": f"/v1/resets/{reset.id}", "Retry-After": str(WAIT_SECONDS)}
    return 202, headers, details_of(session, reset)
