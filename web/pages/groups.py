"""Groups of users, such as sites, departments or crews."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from models.groups import group_by_code, groups_with_size, members_of, size_of
from models.refusals.base import Refused
from models.session import Session
from tasks.people.groups import add_group, change_group, create_group, delete_group, remove_members, uses_of
from web.access import AnyAdmin, SignedIn, UsersAdmin
from web.database import Database
from web.numbers import number_in
from web.pager import Pager
from web.templating import page

router = APIRouter(prefix="/groups")

Text = Annotated[str, Form(max_length=5000)]


@router.get("")
def groups(request: Request, person: AnyAdmin, session: Database) -> Response:
    """List all groups."""
    return _list(request, person, session)


@router.post("")
def add(request: Request, person: UsersAdmin, session: Database, code: Text = "", name: Text = "") -> Response:
    """Create a group."""
    try:
        group = (
            create_group(session, person.actor, code, name) if code.strip() else add_group(session, person.actor, name)
        )
    except Refused as refusal:
        return _list(request, person, session, refusal, code, name)
    return RedirectResponse(address_of(group.code), 303)


@router.get("/{code}")
def group_page(
    request: Request,
    code: str,
    person: AnyAdmin,
    session: Database,
    after: Annotated[str, Query(max_length=1000)] = "",
    joined: Annotated[str, Query(max_length=10)] = "",
    left: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """Show a group and its members; `joined` and `left` say what a list has just changed."""
    numbers = number_in(joined), number_in(left)
    return _show(request, person, session, code, after, changed=None if None in numbers else numbers)


@router.post("/{code}/edit")
def edit(
    request: Request, code: str, person: UsersAdmin, session: Database, name: Text = "", external_id: Text = ""
) -> Response:
    """Rename a group, or change its external id."""
    group = group_by_code(session, person.actor.organization_id, code)
    try:
        with session.begin_nested():
            change_group(session, person.actor, group, {"name": name, "external_id": external_id})
    except Refused as refusal:
        return _show(request, person, session, code, "", refusal, "edit", name=name, external_id=external_id)
    return RedirectResponse(address_of(code), 303)


@router.post("/{code}/delete")
def delete(request: Request, code: str, person: UsersAdmin, session: Database, confirm: Text = "") -> Response:
    """Delete a group; `confirm` is its code as typed."""
    group = group_by_code(session, person.actor.organization_id, code)
    try:
        delete_group(session, person.actor, group, confirm=confirm)
    except Refused as refusal:
        return _show(request, person, session, code, "", refusal, "delete")
    return RedirectResponse("/groups", 303)


@router.post("/{code}/leave")
def leave(code: str, person: UsersAdmin, session: Database, email: Text = "") -> Response:
    """Remove a user from a group."""
    remove_members(session, person.actor, group_by_code(session, person.actor.organization_id, code), [email])
    return RedirectResponse(address_of(code), 303)


def address_of(code: str) -> str:
    """Return the path of a group's page."""
    return f"/groups/{quote(code, safe='')}"


def _list(
    request: Request,
    person: SignedIn,
    session: Session,
    error: Refused | None = None,
    code: str = "",
    name: str = "",
) -> Response:
    found = groups_with_size(session, person.actor.organization_id)
    status = error.status if error else 200
    return page(request, "groups.html", status=status, groups=found, error=error, code=code, name=name)


def _show(
    request: Request,
    person: SignedIn,
    session: Session,
    code: str,
    after: str,
    error: Refused | None = None,
    about: str = "",
    changed: tuple[int | None, int | None] | None = None,
    **typed: str,
) -> Response:
    group = group_by_code(session, person.actor.organization_id, code)
    pager = Pager(request, after, (str, int))
    members = pager.cut(
        members_of(session, group, after=pager.after, limit=pager.limit), lambda user: (user.name, user.id)
    )
    status = error.status if error else 200
    return page(
        request,
        "group.html",
        status=status,
        group=group,
        size=size_of(session, group),
        members=members,
        pager=pager,
        uses=uses_of(session, group),
        error=error,
        about=about,
        changed=changed,
        typed={"name": group.name, "external_id": group.external_id or ""} | typed,
    )
