"""Exemptions: learners whom the resets of a course leave out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from models.access import Actor, Permission
from models.directory import course_of, user_of, users_by_address
from models.exemptions import Exemption, exemptions_of
from models.people import User
from models.tokens import Scope
from tasks.reset.exemptions import end_exemption, exempt
from web.access import program_with
from web.api.json_route import JsonRoute
from web.api.paging import Page, page_of
from web.api.parameters import CourseCode, UserId
from web.api.responses import PAGED, Responses, problems
from web.api.schemas.exemptions import ExemptionDetails, ExemptionList, ExemptionRequest
from web.database import Database

router = APIRouter(tags=["resets"], route_class=JsonRoute)

Reader = Annotated[Actor, Depends(program_with(Scope.RESETS_READ, Permission.COURSES, Permission.USERS))]
Writer = Annotated[Actor, Depends(program_with(Scope.RESETS_WRITE, Permission.COURSES, Permission.USERS))]

ENDED: Responses = {204: {"description": "The next resets of the course include the learner"}}


@router.get(
    "/courses/{code}/exemptions",
    operation_id="listExemptions",
    response_model=ExemptionList,
    responses=PAGED | problems("course-unknown", "forbidden"),
)
def list_exemptions(
    code: CourseCode, actor: Reader, session: Database, page: Annotated[Page, page_of(str, int, items=100)]
) -> ExemptionList:
    """List the learners who are exempt from resets of the course now."""
    course = course_of(session, actor.organization_id, code)
    found = exemptions_of(session, course, after=page.after, limit=page.limit)
    lines = page.cut(found, lambda one: (one[1].name, one[1].id))
    return ExemptionList(items=[_details(*line) for line in lines])


@router.post(
    "/courses/{code}/exemptions",
    operation_id="addExemption",
    status_code=201,
    response_model=ExemptionDetails,
    responses=problems("course-unknown", "user-unknown", "forbidden", "exemption-invalid", "body-too-large"),
)
def add(code: CourseCode, body: ExemptionRequest, actor: Writer, session: Database) -> ExemptionDetails:
    """Leave a learner out of resets of the course, until a moment or for good. Replaces an earlier exemption.

    Scheduled resets and rules respect it too. It does not affect a reset that has begun.
    """
    course = course_of(session, actor.organization_id, code)
    [user] = users_by_address(session, actor.organization_id, [body.user])
    made = exempt(session, actor, course, user, reason=body.reason, until=body.until)
    maker = session.get_one(User, actor.user_id).name if actor.user_id is not None else actor.name
    return _details(made, user, maker)


@router.delete(
    "/courses/{code}/exemptions/{user_id}",
    operation_id="endExemption",
    status_code=204,
    responses=ENDED | problems("course-unknown", "user-unknown", "forbidden", "exemption-unknown"),
)
def end(code: CourseCode, user_id: UserId, actor: Writer, session: Database) -> Response:
    """End an exemption."""
    course = course_of(session, actor.organization_id, code)
    end_exemption(session, actor, course, user_of(session, actor.organization_id, user_id))
    return Response(status_code=204)


def _details(exemption: Exemption, user: User, maker: str) -> ExemptionDetails:
    return ExemptionDetails(
        user_id=user.id,
        name=user.name,
        email=user.email,
        reason=exemption.reason,
        until=exemption.until,
        made_by=maker,
        made_at=exemption.made_at,
    )
