"""Users, and a user's profile and qualifications."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from config.languages import translatable
from models.directory import (
    USER_ORDERS,
    UserFilter,
    UserState,
    count_users,
    courses_of,
    matching_users,
    training_of,
    user_of,
    users_of,
)
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
from web.shown import Shown
from web.templating import page

router = APIRouter(prefix="/users")

FILTERS = {"group": None, "state": list(UserState)}
HEAD = ("id", "name", "email", "state", "courses", "completed", "added")

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
def users(request: Request, person: UsersAdmin, session: Database) -> Response:
    """List the organization's users that match, by name or in another order."""
    return page(request, "users.html", **list_page(session, person, shown_in(request, session, person)))


@router.get(".csv")
def users_file(request: Request, person: UsersAdmin, session: Database) -> Response:
    """Download the users that the list shows."""
    shown, organization = shown_in(request, session, person), person.actor.organization_id
    which = matching(session, person, shown)
    found = matching_users(session, organization, which)
    return shown.as_csv(
        "users.csv",
        HEAD,
        lambda own, after, limit: users_of(
            own, organization, which, found=found, sort=shown.sort, after=after, limit=limit
        ),
        lambda one: (one.id, one.name, one.email, one.state.value, one.assigned, one.completed, one.added_at),
    )


def shown_in(request: Request, session: Session, person: SignedIn, typed: Mapping[str, str] | None = None) -> Shown:
    """Return the list as it is asked for. An old address may name a group that is gone."""
    shown = Shown(request, USER_ORDERS, FILTERS, path="/users", typed=typed)
    try:
        matching(session, person, shown)
    except GroupUnknown:
        shown = Shown(request, USER_ORDERS, FILTERS | {"group": ()}, path="/users", typed=typed)
    return shown


def matching(session: Session, person: SignedIn, shown: Shown) -> UserFilter:
    """Return what users the list shows. Raises `GroupUnknown`."""
    code = shown["group"]
    group = group_by_code(session, person.actor.organization_id, code).id if code else None
    return UserFilter(shown.q, group, UserState(shown["state"]) if shown["state"] else None)


def list_page(session: Session, person: SignedIn, shown: Shown) -> dict[str, Any]:
    """Return what the list of users shows."""
    organization = person.actor.organization_id
    which = matching(session, person, shown)
    found = matching_users(session, organization, which)
    lines = users_of(
        session, organization, which, found=found, sort=shown.sort, after=shown.pager.after, limit=shown.pager.limit
    )
    return {
        "users": shown.cut(lines),
        "shown": shown,
        "count": found.count if found else count_users(session, organization),
        "deactivated": None if found else count_users(session, organization, UserState.DEACTIVATED),
        "states": list(UserState),
        "groups": groups_with_size(session, organization),
        "courses": courses_of(session, organization),
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
