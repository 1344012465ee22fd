"""Change a user: who they are, what they may do, whether they can sign in."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from models.access import MANAGEMENT, Permission
from models.directory import user_of
from models.people import User
from models.refusals.base import Refused
from models.refusals.people import UserUnknown
from models.session import Session
from tasks.people.password_links import VALID, make_password_link
from tasks.people.permissions import managed, set_permissions, with_kept
from tasks.people.users import change_user, remove_user
from web.access import SignedIn, UsersAdmin
from web.database import Database
from web.numbers import Number
from web.pages.my_settings import ZONES
from web.templating import page

router = APIRouter(prefix="/users/{user_id}")

Text = Annotated[str, Form(max_length=500)]
SHOWN = ("name", "email", "external_id", "locale", "time_zone")


@router.get("/edit")
def edit_form(request: Request, user_id: Number, person: UsersAdmin, session: Database) -> Response:
    """Show the form."""
    return _form(request, person, session, _kept(session, person, user_id))


@router.post("/edit")
def edit(
    request: Request,
    user_id: Number,
    person: UsersAdmin,
    session: Database,
    name: Text = "",
    email: Text = "",
    external_id: Text = "",
    locale: Text = "en",
    time_zone: Text = "UTC",
    notifications: Annotated[bool, Form()] = False,
    permissions: Annotated[list[str] | None, Form()] = None,
    with_permissions: Annotated[bool, Form()] = False,
) -> Response:
    """Save the form; `with_permissions` says that it had fields for them."""
    user = _kept(session, person, user_id)
    typed = {"name": name, "email": email, "external_id": external_id, "locale": locale, "time_zone": time_zone}
    wanted = with_kept(user, [one for one in Permission if one.name in (permissions or [])])
    try:
        with session.begin_nested():
            change_user(session, person.actor, user, typed | {"notifications_on": notifications})
            if with_permissions:
                set_permissions(session, person.actor, user, wanted)
    except Refused as refusal:
        session.refresh(user)
        chosen = [one.value for one in wanted]
        return _form(request, person, session, user, refusal, typed | {"on": notifications, "permissions": chosen})
    return RedirectResponse(f"/users/{user.id}?done=saved", 303)


@router.post("/deactivate")
def deactivate(user_id: Number, person: UsersAdmin, session: Database) -> Response:
    """Refuse the user's sign-ins and end their sessions."""
    change_user(session, person.actor, _kept(session, person, user_id), {"active": False})
    return RedirectResponse(f"/users/{user_id}?done=deactivated", 303)


@router.post("/activate")
def activate(user_id: Number, person: UsersAdmin, session: Database) -> Response:
    """Let the user sign in again; a removed one comes back with their records."""
    change_user(session, person.actor, _kept(session, person, user_id), {"active": True})
    return RedirectResponse(f"/users/{user_id}?done=activated", 303)


@router.post("/remove")
def remove(user_id: Number, person: UsersAdmin, session: Database) -> Response:
    """Take access, courses and groups from the user; their records stay."""
    remove_user(session, person.actor, _kept(session, person, user_id))
    return RedirectResponse(f"/users/{user_id}?done=removed", 303)


@router.post("/password-link")
def show_password_link(request: Request, user_id: Number, person: UsersAdmin, session: Database) -> Response:
    """Show a link with which the user chooses a password. It is shown once."""
    user = user_of(session, person.actor.organization_id, user_id)
    link = make_password_link(session, person.actor, user).link
    return page(
        request, "user_password_link.html", user=user, section="profile", link=link, hours=VALID.total_seconds() // 3600
    )


def _kept(session: Session, person: SignedIn, user_id: int) -> User:
    user = user_of(session, person.actor.organization_id, user_id)
    if user.erased_at is not None:
        raise UserUnknown(str(user_id))
    return user


def _form(
    request: Request,
    person: SignedIn,
    session: Session,
    user: User,
    error: Refused | None = None,
    typed: dict[str, Any] | None = None,
) -> Response:
    now = {name: getattr(user, name) or "" for name in SHOWN}
    now |= {"on": user.notifications_on, "permissions": user.permissions}
    return page(
        request,
        "user_edit.html",
        status=error.status if error else 200,
        user=user,
        section="profile",
        typed=now | (typed or {}),
        error=error,
        zones=ZONES,
        managed=managed(session, user),
        permissions=MANAGEMENT,
        others=[one for one in user.permissions if one not in person.actor.permissions],
    )
