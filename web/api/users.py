"""Erase users."""

from typing import Annotated

from fastapi import APIRouter, Depends

from models.access import Actor, Permission
from models.directory import user_of
from models.tokens import Scope
from tasks.people.erase import erase
from web.access import program_with
from web.api.json_route import JsonRoute
from web.api.parameters import UserId
from web.api.responses import problems
from web.api.schemas.users import ErasedUser, ErasureConfirmation
from web.database import Database

router = APIRouter(tags=["users"], route_class=JsonRoute)

Writer = Annotated[Actor, Depends(program_with(Scope.PEOPLE_WRITE, Permission.USERS))]


@router.post(
    "/users/{user_id}/erase",
    operation_id="eraseUser",
    response_model=ErasedUser,
    responses=problems("user-unknown", "forbidden", "not-oneself", "erase-mismatch", "body-too-large"),
)
def erase_user(user_id: UserId, body: ErasureConfirmation, actor: Writer, session: Database) -> ErasedUser:
    """Erase a user: their name, their address and everything they left. **This cannot be undone.**

    Only the id stays, which says nothing about the person. Repeating it changes nothing. Requires the permission
    *Platform management: Users*.
    """
    user = user_of(session, actor.organization_id, user_id)
    erased = erase(session, actor, user, confirm=body.confirm)
    assert user.erased_at is not None
    return ErasedUser(
        user_id=user.id,
        erased_at=user.erased_at,
        enrolments=erased.enrolments,
        records=erased.records,
        files=erased.files,
    )
