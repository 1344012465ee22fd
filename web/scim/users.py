"""The addresses of users."""

from fastapi import APIRouter, Request, Response

from tasks.scim.listing import read_search
from tasks.scim.resources import User
from tasks.scim.users import create_user, delete_user, list_users, patch_user, replace_user, show_user
from web.database import Database
from web.scim.answers import list_answer, resource_answer
from web.scim.requests import IfMatch, Key, Payload, Provider, parameters

router = APIRouter(prefix="/Users")


@router.get("")
def list_all(request: Request, actor: Provider, session: Database) -> Response:
    """List users, with a filter."""
    return list_answer(list_users(session, actor, read_search(User, parameters(request))))


@router.post("/.search")
def search(payload: Payload, actor: Provider, session: Database) -> Response:
    """List users as the body says, which is in no log of addresses."""
    return list_answer(list_users(session, actor, read_search(User, payload)))


@router.post("")
def add(request: Request, payload: Payload, actor: Provider, session: Database) -> Response:
    """Add a user."""
    return resource_answer(request, create_user(session, actor, payload), 201)


@router.get("/{key}")
def show(request: Request, key: Key, actor: Provider, session: Database) -> Response:
    """Show a user."""
    return resource_answer(request, show_user(session, actor, key, read_search(User, parameters(request))))


@router.put("/{key}")
def replace(
    request: Request, key: Key, payload: Payload, actor: Provider, session: Database, if_match: IfMatch = None
) -> Response:
    """Replace a user."""
    return resource_answer(request, replace_user(session, actor, key, payload, if_match))


@router.patch("/{key}")
def change(
    request: Request, key: Key, payload: Payload, actor: Provider, session: Database, if_match: IfMatch = None
) -> Response:
    """Change a user by operations."""
    return resource_answer(request, patch_user(session, actor, key, payload, if_match))


@router.delete("/{key}")
def remove(key: Key, actor: Provider, session: Database, if_match: IfMatch = None) -> Response:
    """Remove a user."""
    delete_user(session, actor, key, if_match)
    return Response(status_code=204)
