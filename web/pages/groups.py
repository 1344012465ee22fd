"""Groups of users, such as sites, departments or crews."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from models.groups import group_by_code, groups_with_size, members_of
from models.refusals.base import Refused
from models.session import Session
from tasks.people.groups import add_members, create_group, remove_members
from web.access import AnyAdmin, SignedIn, UsersAdmin
from web.database import Database
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
        group = create_group(session, person.actor, code, name)
    except Refused as refusal:
        return _list(request, person, session, refusal)
    return RedirectResponse(_address(group.code), 303)


@router.get("/{code}")
def group_page(
    request: Request,
    code: str,
    person: AnyAdmin,
    session: Database,
    after: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    """Show a group and its members."""
    return _show(request, person, session, code, after)


@router.post("/{code}/join")
def join(request: Request, code: str, person: UsersAdmin, session: Database, emails: Text = "") -> Response:
    """Add users to a group by e-mail address."""
    group = group_by_code(session, person.actor.organization_id, code)
    try:
        with session.begin_nested():
            add_members(session, person.actor, group, emails.split())
    except Refused as refusal:
        return _show(request, person, session, code, "", refusal, emails)
    return RedirectResponse(_address(code), 303)


@router.post("/{code}/leave")
def leave(code: str, person: UsersAdmin, session: Database, email: Text = "") -> Response:
    """Remove a user from a group."""
    remove_members(session, person.actor, group_by_code(session, person.actor.organization_id, code), [email])
    return RedirectResponse(_address(code), 303)


def _address(code: str) -> str:
    return f"/groups/{quote(code, safe='')}"


def _list(request: Request, person: SignedIn, session: Session, error: Refused | None = None) -> Response:
    found = groups_with_size(session, person.actor.organization_id)
    return page(request, "groups.html", status=error.status if error else 200, groups=found, error=error)


def _show(
    request: Request,
    person: SignedIn,
    session: Session,
    code: str,
    after: str,
    error: Refused | None = None,
    emails: str = "",
) -> Response:
    group = group_by_code(session, person.actor.organization_id, code)
    pager = Pager(request, after, (str, int))
    members = pager.cut(
        members_of(session, group, after=pager.after, limit=pager.limit), lambda user: (user.name, user.id)
    )
    status = error.status if error else 200
    return page(
        request, "group.html", status=status, group=group, members=members, pager=pager, error=error, emails=emails
    )
