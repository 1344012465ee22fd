"""The addresses of users and groups: the same ones for each kind of resource."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from scim2_models import ResponseParameters, SearchRequest

from models.access import Actor
from models.session import Session
from tasks.scim import groups, users
from tasks.scim.listing import Listing, read_search
from tasks.scim.resources import Group, User
from web.database import Database
from web.scim.answers import list_answer, resource_answer
from web.scim.requests import IfMatch, Key, Payload, Provider, parameters

Json = dict[str, Any]
Changes = Callable[[Session, Actor, str, Json, str | None], Json]


@dataclass(frozen=True)
class Commands:
    """What can be done with a kind of resources."""

    kind: type[User] | type[Group]
    find: Callable[[Session, Actor, SearchRequest[Any]], Listing]
    show: Callable[[Session, Actor, str, ResponseParameters[Any]], Json]
    create: Callable[[Session, Actor, Json], Json]
    replace: Changes
    patch: Changes
    delete: Callable[[Session, Actor, str, str | None], None]


def router_of(path: str, commands: Commands) -> APIRouter:
    """Returns the addresses of a kind of resources, below this path."""
    router = APIRouter(prefix=path)

    @router.get("")
    def list_all(request: Request, actor: Provider, session: Database) -> Response:
        """List resources, with a filter."""
        return list_answer(commands.find(session, actor, read_search(commands.kind, parameters(request))))

    @router.post("/.search")
    def search(payload: Payload, actor: Provider, session: Database) -> Response:
        """List resources as the body says, which is in no log of addresses."""
        return list_answer(commands.find(session, actor, read_search(commands.kind, payload)))

    @router.post("")
    def add(request: Request, payload: Payload, actor: Provider, session: Database) -> Response:
        """Add a resource."""
        return resource_answer(request, commands.create(session, actor, payload), 201)

    @router.get("/{key}")
    def show(request: Request, key: Key, actor: Provider, session: Database) -> Response:
        """Show a resource."""
        wanted = read_search(commands.kind, parameters(request))
        return resource_answer(request, commands.show(session, actor, key, wanted))

    @router.put("/{key}")
    def replace(
        request: Request, key: Key, payload: Payload, actor: Provider, session: Database, if_match: IfMatch = None
    ) -> Response:
        """Replace a resource."""
        return resource_answer(request, commands.replace(session, actor, key, payload, if_match))

    @router.patch("/{key}")
    def change(
        request: Request, key: Key, payload: Payload, actor: Provider, session: Database, if_match: IfMatch = None
    ) -> Response:
        """Change a resource by operations."""
        return resource_answer(request, commands.patch(session, actor, key, payload, if_match))

    @router.delete("/{key}")
    def remove(key: Key, actor: Provider, session: Database, if_match: IfMatch = None) -> Response:
        """Remove a resource."""
        commands.delete(session, actor, key, if_match)
        return Response(status_code=204)

    return router


USERS = router_of(
    "/Users",
    Commands(
        User,
        users.list_users,
        users.show_user,
        users.create_user,
        users.replace_user,
        users.patch_user,
        users.delete_user,
    ),
)
GROUPS = router_of(
    "/Groups",
    Commands(
        Group,
        groups.list_groups,
        groups.show_group,
        groups.create_group,
        groups.replace_group,
        groups.patch_group,
        groups.remove_group,
    ),
)
