"""Find, add, change, remove and erase users."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from models.access import Actor, Permission
from models.directory import people_of, user_of
from models.tokens import Scope
from tasks.people.erase import erase
from tasks.people.users import add_user, change_user, remove_user
from web.access import program_with
from web.api.json_route import JsonRoute
from web.api.paging import Page, page_of
from web.api.parameters import ExternalId, UserId
from web.api.responses import PAGED, Responses, problems
from web.api.schemas.base import NO_NUL
from web.api.schemas.users import (
    ErasedUser,
    ErasureConfirmation,
    UserDetails,
    UserList,
    UserRequest,
    UserUpdate,
)
from web.database import Database

router = APIRouter(tags=["users"], route_class=JsonRoute)

Writer = Annotated[Actor, Depends(program_with(Scope.PEOPLE_WRITE, Permission.USERS))]


PROBLEMS = ("forbidden", "user-invalid", "user-exists", "external-id-taken", "body-too-large")
REMOVED: Responses = {204: {"description": "The user is removed"}}


def _words(description: str) -> Any:
    return Query(max_length=320, pattern=NO_NUL, description=description)


@router.get("/users", operation_id="listUsers", response_model=UserList, responses=PAGED | problems("forbidden"))
def list_users(
    actor: Writer,
    session: Database,
    page: Annotated[Page, page_of(str, int)],
    email: Annotated[str, _words("Only the user with this address")] = "",
    external_id: ExternalId = "",
    search: Annotated[str, _words("Part of a name or an address")] = "",
    removed: Annotated[bool, Query(description="List the removed users instead")] = False,
) -> UserList:
    """List users by name."""
    found = people_of(
        session,
        actor.organization_id,
        email=email,
        external_id=external_id,
        search=search,
        removed=removed,
        after=page.after,
        limit=page.limit,
    )
    users = page.cut(found, lambda user: (user.name, user.id))
    return UserList(items=[UserDetails.model_validate(user) for user in users])


@router.post(
    "/users",
    operation_id="addUser",
    status_code=201,
    response_model=UserDetails,
    responses=problems(*PROBLEMS),
)
def add(body: UserRequest, actor: Writer, session: Database) -> UserDetails:
    """Add a user, without permissions and password. A removed user with this address or external id comes back."""
    return UserDetails.model_validate(add_user(session, actor, **body.model_dump()))


@router.get(
    "/users/{user_id}",
    operation_id="getUser",
    response_model=UserDetails,
    responses=problems("forbidden", "user-unknown"),
)
def show(user_id: UserId, actor: Writer, session: Database) -> UserDetails:
    """Get a user, also a removed or an erased one."""
    return UserDetails.model_validate(user_of(session, actor.organization_id, user_id))


@router.patch(
    "/users/{user_id}",
    operation_id="changeUser",
    response_model=UserDetails,
    responses=problems(*PROBLEMS, "user-unknown", "not-oneself"),
)
def change(user_id: UserId, body: UserUpdate, actor: Writer, session: Database) -> UserDetails:
    """Change a user. With another address they are the same person, with the same records."""
    user = user_of(session, actor.organization_id, user_id)
    return UserDetails.model_validate(change_user(session, actor, user, body.model_dump(exclude_unset=True)))


@router.delete(
    "/users/{user_id}",
    operation_id="removeUser",
    status_code=204,
    responses=REMOVED | problems("forbidden", "user-unknown", "not-oneself"),
)
def remove(user_id: UserId, actor: Writer, session: Database) -> Response:
    """Remove a user: no access, no courses, no groups. Their records stay until they are erased or too old.

    Repeating it changes nothing.
    """
    remove_user(session, actor, user_of(session, actor.organization_id, user_id))
    return Response(status_code=204)


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
