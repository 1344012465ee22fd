"""What a user may do, how they sign in, and where they are signed in.

A scope of its own: whoever makes a password link for a user can sign in as them, which no other scope allows.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from models.access import Actor, Permission
from models.directory import user_of
from models.tokens import Scope
from tasks.people.password_links import make_password_link
from tasks.people.permissions import set_permissions, with_kept
from tasks.people.sessions import end_session_of, end_sessions_of, open_sessions_of
from web.access import program_with
from web.api.json_route import JsonRoute
from web.api.parameters import UserId
from web.api.responses import Responses, problems
from web.api.schemas.access import PasswordLink, PermissionsUpdate, UserSession, UserSessionList
from web.api.schemas.base import NO_NUL
from web.api.schemas.users import UserDetails
from web.database import Database

router = APIRouter(tags=["users"], route_class=JsonRoute)

Manager = Annotated[Actor, Depends(program_with(Scope.ACCESS_WRITE, Permission.USERS))]
SessionKey = Annotated[str, Path(max_length=100, pattern=NO_NUL, description="The session's key")]
ENDED: Responses = {204: {"description": "Signed out there"}}


@router.put(
    "/users/{user_id}/permissions",
    operation_id="setPermissions",
    response_model=UserDetails,
    responses=problems(
        "forbidden", "only-at-command-line", "user-unknown", "not-oneself", "permissions-elsewhere", "body-too-large"
    ),
)
def permissions(user_id: UserId, body: PermissionsUpdate, actor: Manager, session: Database) -> UserDetails:
    """Let a user do this and nothing else. Requires every permission that the user had or gets.

    A user who gets a permission is signed out everywhere. *Platform operations* stays as it is: only the command line
    gives and takes it.
    """
    user = user_of(session, actor.organization_id, user_id)
    set_permissions(session, actor, user, with_kept(user, body.permissions))
    return UserDetails.model_validate(user)


@router.post(
    "/users/{user_id}/password-links",
    operation_id="makePasswordLink",
    status_code=201,
    response_model=PasswordLink,
    responses=problems("forbidden", "user-unknown", "passwords-off"),
)
def password_link(user_id: UserId, actor: Manager, session: Database) -> PasswordLink:
    """Make a link with which a user chooses a password. **Whoever has it can sign in as the user.**

    It is not shown again, and ends once any password is set. Requires every permission that the user has.
    """
    made = make_password_link(session, actor, user_of(session, actor.organization_id, user_id))
    return PasswordLink.model_validate(made)


@router.get(
    "/users/{user_id}/sessions",
    operation_id="listSessions",
    response_model=UserSessionList,
    responses=problems("forbidden", "user-unknown"),
)
def sessions(user_id: UserId, actor: Manager, session: Database) -> UserSessionList:
    """List where a user is signed in, most recently used first. Requires every permission that the user has."""
    found = open_sessions_of(session, actor, user_of(session, actor.organization_id, user_id))
    return UserSessionList(items=[UserSession.model_validate(one) for one in found])


@router.delete(
    "/users/{user_id}/sessions",
    operation_id="endSessions",
    status_code=204,
    responses=ENDED | problems("forbidden", "user-unknown"),
)
def end_all(user_id: UserId, actor: Manager, session: Database) -> Response:
    """Sign a user out everywhere. Their tokens stay valid. Requires every permission that the user has."""
    end_sessions_of(session, actor, user_of(session, actor.organization_id, user_id))
    return Response(status_code=204)


@router.delete(
    "/users/{user_id}/sessions/{key}",
    operation_id="endSession",
    status_code=204,
    responses=ENDED | problems("forbidden", "user-unknown", "session-unknown"),
)
def end(user_id: UserId, key: SessionKey, actor: Manager, session: Database) -> Response:
    """Sign a user out in one browser. Requires every permission that the user has."""
    end_session_of(session, actor, user_of(session, actor.organization_id, user_id), key)
    return Response(status_code=204)
