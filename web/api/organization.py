"""The organization of the token: read it, pause and resume all its resets."""

from typing import Annotated

from fastapi import APIRouter, Depends

from models.access import Actor, Permission
from models.tokens import Scope
from tasks.people.organizations import standing
from tasks.reset.pause import pause_organization, resume_organization
from web.access import program_with
from web.api.json_route import JsonRoute
from web.api.responses import problems
from web.api.schemas.organization import OrganizationStanding, standing_of
from web.api.schemas.resets import PauseReason
from web.database import Database

router = APIRouter(prefix="/organization", tags=["resets"], route_class=JsonRoute)

Reader = Annotated[Actor, Depends(program_with(Scope.RESETS_READ, Permission.COURSES, Permission.USERS))]
Writer = Annotated[Actor, Depends(program_with(Scope.RESETS_WRITE, Permission.COURSES, Permission.USERS))]


@router.get("", operation_id="getOrganization", response_model=OrganizationStanding, responses=problems("forbidden"))
def get_organization(actor: Reader, session: Database) -> OrganizationStanding:
    """Get your organization: its weight, whether its resets are paused, and how many run and queue."""
    return standing_of(standing(session, actor.organization_id))


@router.post(
    ":pause",
    operation_id="pauseOrganization",
    response_model=OrganizationStanding,
    responses=problems("forbidden", "pause-reason-missing", "body-too-large"),
)
def pause_all(body: PauseReason, actor: Writer, session: Database) -> OrganizationStanding:
    """Pause all resets of your organization and its rules. Requires both permissions of administrators."""
    pause_organization(session, actor, body.reason)
    return standing_of(standing(session, actor.organization_id))


@router.post(
    ":resume",
    operation_id="resumeOrganization",
    response_model=OrganizationStanding,
    responses=problems("forbidden", "paused-more-widely", "body-too-large"),
)
def resume_all(actor: Writer, session: Database) -> OrganizationStanding:
    """Resume all resets of your organization but those that are paused one by one. Repeating it changes nothing."""
    resume_organization(session, actor)
    return standing_of(standing(session, actor.organization_id))
