"""Users, and a user's profile and qualifications."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from config.languages import translatable
from models.directory import UserFilter, UserState, count_users, courses_of, training_of, user_of, users_of
from models.groups import group_by_code, groups_with_size
from models.people import User
from models.refusals.base import Refused
from models.refusals.people import EraseMismatch, GroupUnknown, NotOneself
from models.session import Session
from tasks.people.erase import erase
from tasks.people.permissions import managed
from web.access import FOR_USERS_ADMINS, SignedIn, UsersAdmin
from web.database import Database
from web.numbers import Number
from web.pager import Pager
from web.templating import page

router = APIRouter(prefix="/users")

MOST_COUNTED = 10_000  # users; a list with more says “more than 10,000”


@dataclass(frozen=True)
class AsTyped:
    """What users the list shows, as in its address."""

    q: str = ""
    group: str = ""
    state: str = ""


DONE = {
    "added": translatable(
        "User added. Create a password link so that they can sign in, unless they sign in elsewhere."
    ),
    "saved": translatable("User saved."),
    "deactivated": translatable("User deactivated, and signed out everywhere."),
    "activated": translatable("User activated."),
    "removed": translatable("User removed. Their records are kept."),
}


@router.get("")
def users(
    request: Request,
    person: UsersAdmin,
    session: Database,
    q: Annotated[str, Query(max_length=200)] = "",
    group: Annotated[str, Query(max_length=200)] = "",
    state: Annotated[str, Query(max_length=20)] = "",
    after: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    """List the organization's users by name: those that match."""
    return page(request, "users.html", **list_page(request, session, person, AsTyped(q, group, state), after))


def matching(session: Session, person: SignedIn, typed: AsTyped) -> UserFilter:
    """Return what users the list shows. Raises `GroupUnknown`."""
    group = group_by_code(session, person.actor.organization_id, typed.group).id if typed.group else None
    return UserFilter(typed.q.strip(), group, UserState(typed.state) if typed.state in list(UserState) else None)


def list_page(
    request: Request, session: Session, person: SignedIn, typed: AsTyped, after: str = "", path: str | None = None
) -> dict[str, Any]:
    """Return what the list of users shows."""
    organization = person.actor.organization_id
    pager = Pager(request, after, (str, int), path=path)
    try:
        which = matching(session, person, typed)
    except GroupUnknown:  # an old address
        typed = AsTyped(typed.q, "", typed.state)
        which = matching(session, person, typed)
    found = users_of(session, organization, which, after=pager.after, limit=pager.limit)
    return {
        "users": pager.cut(found, lambda line: (line.name, line.id)),
        "count": count_users(session, organization, which, MOST_COUNTED + 1),
        "most_counted": MOST_COUNTED,
        "typed": typed,
        "states": list(UserState),
        "groups": groups_with_size(session, organization),
        "courses": courses_of(session, organization),
        "pager": pager,
        "error": None,
        "chosen": [],
        "course": "",
    }


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
