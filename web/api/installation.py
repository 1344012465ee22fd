"""The whole installation: see whether it is paused, pause and resume it."""

from typing import Annotated

from fastapi import APIRouter, Depends

from models.access import Actor, Permission
from models.pauses import pause_of_everything
from models.tokens import Scope
from tasks.reset.pause import pause_everything, resume_everything
from web.access import program_with
from web.api.json_route import JsonRoute
from web.api.responses import problems
from web.api.schemas.installation import InstallationStanding, installation_of
from web.api.schemas.resets import PauseReason
from web.database import Database

router = APIRouter(prefix="/installation", tags=["resets"], route_class=JsonRoute)

Operator = Annotated[Actor, Depends(program_with(Scope.OPERATE, Permission.OPERATIONS))]


@router.get("", operation_id="getInstallation", response_model=InstallationStanding, responses=problems("forbidden"))
def get_installation(_: Operator, session: Database) -> InstallationStanding:
    """Get whether everything is paused. Requires the permission *Platform operations*, as all of `/installation`."""
    return installation_of(pause_of_everything(session))


@router.post(
    ":pause",
    operation_id="pauseEverything",
    response_model=InstallationStanding,
    responses=problems("forbidden", "pause-reason-missing", "body-too-large"),
)
def pause_installation(body: PauseReason, actor: Operator, session: Database) -> InstallationStanding:
    """Pause all resets and rules of **every organization**. Repeating it changes nothing."""
    pause_everything(session, actor, body.reason)
    return installation_of(pause_of_everything(session))


@router.post(
    ":resume",
    operation_id="resumeEverything",
    response_model=InstallationStanding,
    responses=problems("forbidden", "body-too-large"),
)
def resume_installation(actor: Operator, session: Database) -> InstallationStanding:
    """Resume every organization; what is paused by itself stays paused. Repeating it changes nothing."""
    resume_everything(session, actor)
    return installation_of(pause_of_everything(session))
