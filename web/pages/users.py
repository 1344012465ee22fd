"""Users, and a user's profile and qualifications."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from models.directory import training_of, user_of, users_of
from models.people import User
from models.refusals.base import Refused
from models.refusals.people import EraseMismatch, NotOneself
from models.session import Session
from tasks.people.erase import erase
from tasks.people.permissions import managed
from web.access import FOR_USERS_ADMINS, SignedIn, UsersAdmin
from web.database import Database
from web.numbers import Number
from web.pager import Pager
from web.templating import page

router = APIRouter(prefix="/users")

DONE = {
    "added": "User added. Create a password link so that they can sign in, unless they sign in elsewhere.",
    "saved": "User saved.",
    "deactivated": "User deactivated, and signed out everywhere.",
    "activated": "User activated.",
    "removed": "User removed. Their records are kept.",
}


@router.get("")
def users(
    request: Request,
    person: UsersAdmin,
    session: Database,
    q: Annotated[str, Query(max_length=200)] = "",
    after: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    """List the organization's users by name."""
    pager = Pager(request, after, (str, int))
    found = users_of(session, person.actor.organization_id, search=q.strip(), after=pager.after, limit=pager.limit)
    lines = pager.cut(found, lambda line: (line.name, line.id))
    return page(request, "users.html", users=lines, q=q, pager=pager)


@router.get("/{user_id}")
def profile(
    request: Request,
    user_id: Number,
    person: UsersAdmin,
    session: Database,
    done: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Show a user's profile."""
    return _profile(request, session, user_of(session, person.actor.organization_id, user_id), done=done)


@router.post("/{user_id}/erase")
def erase_user(
    request: Request,
    user_id: Number,
    person: UsersAdmin,
    session: Database,
    confirm: Annotated[str, Form(max_length=400)] = "",
) -> Response:
    """Erase a user; `confirm` is their e-mail address."""
    user = user_of(session, person.actor.organization_id, user_id)
    try:
        erase(session, person.actor, user, confirm=confirm)
    except (EraseMismatch, NotOneself) as refusal:
        return _profile(request, session, user, refusal, confirm)
    return RedirectResponse(f"/users/{user.id}", 303)


@router.get("/{user_id}/qualifications", dependencies=[FOR_USERS_ADMINS])
def qualifications(user_id: Number) -> Response:
    """Redirect to *Training*, the first part of the section."""
    return RedirectResponse(f"/users/{user_id}/qualifications/training", 303)


@router.get("/{user_id}/qualifications/training")
def training(request: Request, user_id: Number, person: UsersAdmin, session: Database) -> Response:
    """Show the courses assigned to a user, with their progress."""
    user = user_of(session, person.actor.organization_id, user_id)
    return page(request, "user_training.html", user=user, section="qualifications", courses=training_of(session, user))


def _profile(
    request: Request, session: Session, user: User, error: Refused | None = None, confirm: str = "", done: str = ""
) -> Response:
    person: SignedIn = request.state.signed_in
    return page(
        request,
        "user.html",
        status=error.status if error else 200,
        user=user,
        section="profile",
        managed=managed(session, user),
        may_manage=person.actor.permissions.issuperset(user.permissions),
        error=error,
        confirm=confirm,
        done=DONE.get(done, ""),
    )
