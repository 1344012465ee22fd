"""The addresses of groups."""

from fastapi import APIRouter, Request, Response

from tasks.scim.groups import create_group, list_groups, patch_group, remove_group, replace_group, show_group
from tasks.scim.listing import read_search
from tasks.scim.resources import Group
from web.database import Database
from web.scim.answers import list_answer, resource_answer
from web.scim.requests import IfMatch, Key, Payload, Provider, parameters

router = APIRouter(prefix="/Groups")


@router.get("")
def list_all(request: Request, actor: Provider, session: Database) -> Response:
    """List groups, with a filter."""
    return list_answer(list_groups(session, actor, read_search(Group, parameters(request))))


@router.post("/.search")
def search(payload: Payload, actor: Provider, session: Database) -> Response:
    """List groups as the body says, which is in no log of addresses."""
    return list_answer(list_groups(session, actor, read_search(Group, payload)))


@router.post("")
def add(request: Request, payload: Payload, actor: Provider, session: Database) -> Response:
    """Add a group."""
    return resource_answer(request, create_group(session, actor, payload), 201)


@router.get("/{key}")
def show(request: Request, key: Key, actor: Provider, session: Database) -> Response:
    """Show a group."""
    return resource_answer(request, show_group(session, actor, key, read_search(Group, parameters(request))))


@router.put("/{key}")
def replace(
    request: Request, key: Key, payload: Payload, actor: Provider, session: Database, if_match: IfMatch = None
) -> Response:
    """Replace a group."""
    return resource_answer(request, replace_group(session, actor, key, payload, if_match))


@router.patch("/{key}")
def change(
    request: Request, key: Key, payload: Payload, actor: Provider, session: Database, if_match: IfMatch = None
) -> Response:
    """Change a group by operations."""
    return resource_answer(request, patch_group(session, actor, key, payload, if_match))


@router.delete("/{key}")
def remove(key: Key, actor: Provider, session: Database, if_match: IfMatch = None) -> Response:
    """Remove a group."""
    remove_group(session, actor, key, if_match)
    return Response(status_code=204)
