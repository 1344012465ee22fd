"""Add, change and remove users."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from sqlalchemy import ColumnElement, delete, false, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from config.languages import gettext, translatable
from config.log import logger
from models import audit
from models.access import Actor, Permission
from models.groups import GroupMember
from models.journal import note_removed, note_returned
from models.people import User
from models.refusals.people import DEACTIVATE, REMOVE, ExternalIdTaken, NotOneself, UserExists, UserInvalid, UserUnknown
from models.session import changed_rows, savepoint
from models.sign_in import Credential
from models.tokens import ApiToken
from models.training import Enrolment
from models.web_sessions import end_sessions
from tasks.imports.values import Column, WrongError, email, external_id, locale, text, time_zone, yes_or_no
from tasks.people.authority import must_be_allowed_to_give, must_manage
from tasks.people.enrolments import end_enrolments
from tasks.people.in_their_name import stop_what_is_in_their_name
from tasks.people.passwords import set_password

FIELDS: Mapping[str, Column] = {
    "email": Column(email, required=True),
    "name": Column(text(200), required=True),
    "external_id": Column(external_id),
    "user_name": Column(text(320)),
    "active": Column(yes_or_no, required=True),
    "notifications_on": Column(yes_or_no, required=True),
    "locale": Column(locale, required=True),
    "time_zone": Column(time_zone, required=True),
}
"""What can be set of a user; `None` clears what is not required."""

IDENTITY = {"email", "external_id", "user_name"}
"""The fields by which a user is known: who changes them could become that user."""

MANAGED = IDENTITY | {"active"}
"""The fields that only someone with every permission of the user changes."""

log = logger(__name__)


def add_user(
    session: Session,
    actor: Actor,
    email: str,
    name: str,
    permissions: Sequence[Permission] = (),
    password: str | None = None,
    *,
    comes_back: bool = True,
    **more: object,
) -> User:
    """Returns a new user of the actor's organization, with `more` of the `FIELDS`. The actor needs every permission
    that the user gets.

    A removed user with this address or external id is the same person, and comes back with their records, unless
    `comes_back` is false. Raises `Forbidden`, `OnlyAtConsole`, `UserInvalid`, `UserExists`, `ExternalIdTaken`,
    `PasswordTooShort`, `PasswordsOff`.
    """
    actor.must_have(Permission.USERS)
    must_be_allowed_to_give(actor, permissions)
    for permission in permissions:
        actor.must_have(permission)
    values = _checked({"email": email, "name": name, **more})
    allowed = [permission.value for permission in permissions]
    user = _removed_before(session, actor, values, comes_back)
    if user is None:
        row = insert(User).values(organization_id=actor.organization_id, permissions=allowed, **values)
        user_id = session.scalar(row.on_conflict_do_nothing().returning(User.id))
        if user_id is None:  # added a moment ago
            raise UserExists(values["email"])
        user = session.get_one(User, user_id)
        audit.record(session, actor, "user.added", user.id, user.organization_id, permissions=allowed)
    else:
        note_returned(session, user)
        user.removed_at, user.permissions = None, allowed
        _write(session, user, {"active": True} | values)
        audit.record(session, actor, "user.added", user.id, user.organization_id, permissions=allowed, again=True)
    if password:
        set_password(session, actor, user, password)
    return user


def change_user(session: Session, actor: Actor, user: User, given: Mapping[str, object]) -> User:
    """Returns the user with these of the `FIELDS` changed. With another address they are the same person.

    Changing what a user is known by, or whether they are active, needs every permission that the user has. Raises
    `Forbidden`, `UserUnknown`, `UserInvalid`, `UserExists`, `ExternalIdTaken`, `NotOneself`.
    """
    actor.must_have(Permission.USERS)
    lock_user(session, actor, user)
    values = _checked(given)
    changed = sorted(name for name, value in values.items() if getattr(user, name) != value)
    if not changed:
        return user
    if MANAGED.intersection(changed):
        must_manage(actor, user)
    if values.get("active") is False and user.id == actor.user_id:
        raise NotOneself(DEACTIVATE)
    for holder in _holders(session, user.organization_id, {name: values[name] for name in changed}, but=user.id):
        raise _taken(holder, values)
    if values.get("active") and user.removed_at is not None:
        note_returned(session, user)
    _write(session, user, values)
    if values.get("active") is False:
        end_sessions(session, user.id)
    # The names of the fields alone: an erasure would have to find every value again.
    audit.record(session, actor, "user.changed", user.id, user.organization_id, changed=changed)
    return user


def remove_user(session: Session, actor: Actor, user: User) -> None:
    """Remove the user: no access, no courses, no groups. Their records stay, until they are erased or too old.

    Does nothing if they are removed. Needs every permission that the user has. Raises `Forbidden`, `UserUnknown`,
    `NotOneself`.
    """
    actor.must_have(Permission.USERS)
    lock_user(session, actor, user)
    must_manage(actor, user)
    if user.id == actor.user_id:
        raise NotOneself(REMOVE)
    if user.removed_at is None:
        remove_now(session, actor, user)


def remove_now(session: Session, actor: Actor | str, user: User) -> None:
    """Remove the user: the caller has checked that it may, or is repeating an earlier removal."""
    stop_what_is_in_their_name(session, user, "removed")
    mine = (Enrolment.user_id == user.id) & (Enrolment.organization_id == user.organization_id)
    enrolments = end_enrolments(session, mine)
    groups = changed_rows(session, delete(GroupMember).where(GroupMember.user_id == user.id))
    end_sessions(session, user.id)
    changed_rows(session, delete(Credential).where(Credential.user_id == user.id))
    valid = (ApiToken.user_id == user.id) & ApiToken.revoked_at.is_(None)
    tokens = changed_rows(session, update(ApiToken).where(valid).values(revoked_at=func.now()))
    user.active, user.permissions = False, []
    user.removed_at = session.scalars(select(func.now())).one()
    note_removed(session, user)
    session.flush()
    counts = {"enrolments": len(enrolments), "groups": groups, "tokens": tokens}
    audit.record(session, actor, "user.removed", user.id, user.organization_id, **counts)
    log.info("user_removed", user=user.id, **counts)


def lock_user(session: Session, actor: Actor, user: User) -> None:
    """Wait until no one else is changing the user, and read them again.

    Raises `UserUnknown`, also if they were erased.
    """
    session.refresh(user, with_for_update={"key_share": True})
    if user.organization_id != actor.organization_id or user.erased_at is not None:
        raise UserUnknown(str(user.id))


def _checked(given: Mapping[str, object]) -> dict[str, Any]:
    checked = {}
    for name, value in given.items():
        try:
            checked[name] = FIELDS[name].checked(value)
        except WrongError as error:
            raise UserInvalid(
                gettext("the {what} {error}", what=translatable(name.replace("_", " ")), error=error)
            ) from None
    return checked


def _removed_before(session: Session, actor: Actor, values: Mapping[str, Any], comes_back: bool) -> User | None:
    """Returns the removed user who is added again. Raises `UserExists`, `ExternalIdTaken` if someone else is in the
    way."""
    holders = _holders(session, actor.organization_id, values)
    if comes_back and len(holders) == 1 and holders[0].removed_at is not None:
        return holders[0]
    for holder in sorted(holders, key=lambda one: one.removed_at is not None):
        raise _taken(holder, values)
    return None


def _holders(session: Session, organization_id: int, values: Mapping[str, Any], but: int | None = None) -> list[User]:
    """Returns the users who have one of the values that only one user can have."""
    has: list[ColumnElement[bool]] = [false()]
    if values.get("email"):
        has += [User.has_address(values["email"]), func.lower(User.user_name) == values["email"].lower()]
    if values.get("external_id"):
        has.append(User.external_id == values["external_id"])
    if values.get("user_name"):
        has.append(User.is_called(values["user_name"]))
    query = select(User).where(User.organization_id == organization_id, or_(*has)).order_by(User.id)
    if but is not None:
        query = query.where(User.id != but)
    return list(session.scalars(query.with_for_update(key_share=True)))


def _taken(holder: User, values: Mapping[str, Any]) -> UserExists | ExternalIdTaken:
    if holder.external_id is not None and holder.external_id == values.get("external_id"):
        return ExternalIdTaken(holder.external_id)
    return UserExists(str(values.get("email") or values.get("user_name")))


def _write(session: Session, user: User, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(user, name, value)
    try:
        with savepoint(session):
            session.flush()
    except IntegrityError as error:  # someone else took it a moment ago
        if isinstance(error.orig, psycopg.Error) and error.orig.diag.constraint_name == "uq_user_external_id":
            raise ExternalIdTaken(values["external_id"]) from None
        raise UserExists(str(values.get("email") or values.get("user_name"))) from None
    session.refresh(user)  # a trigger may have written too
