"""Create, rename and delete groups, and add and remove their members."""

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, all_, any_, delete, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models import audit
from models.access import Actor, Permission
from models.directory import users_by_address
from models.events import Event
from models.groups import Group, GroupMember, group_by_code
from models.people import User
from models.refusals.people import ExternalIdTaken, GroupInUse, GroupInvalid, GroupMismatch, GroupUnknown, UserUnknown
from models.resets import Reset
from models.retraining import Rule
from models.session import savepoint
from tasks.imports.values import Column, WrongError, external_id, text

LONGEST_CODE = 100
FIELDS: Mapping[str, Column] = {"name": Column(text(200), required=True), "external_id": Column(external_id)}
"""What can be set of a group; `None` clears its external id."""


@dataclass(frozen=True)
class Uses:
    """What is about a group. While anything is, the group stays."""

    rules: list[Rule]  # removed ones too: their history names the group
    resets: int
    events: int

    @property
    def any(self) -> bool:
        """Whether anything is."""
        return bool(self.rules or self.resets or self.events)


def create_group(session: Session, actor: Actor, code: str, name: str, external_id: str | None = None) -> Group:
    """Returns a new group, or the existing one with this code, which keeps its name, and its external id if it has one.

    Raises `Forbidden`, `GroupInvalid`, `ExternalIdTaken`.
    """
    actor.must_have(Permission.USERS)
    code = code.strip()
    values = _checked({"name": name, "external_id": external_id})
    if not code or len(code) > LONGEST_CODE or "/" in code or "\x00" in code:
        raise GroupInvalid
    _refuse_taken(session, actor, values["external_id"], code)
    session.execute(
        insert(Group).values(organization_id=actor.organization_id, code=code, **values).on_conflict_do_nothing()
    )
    group = group_by_code(session, actor.organization_id, code)
    if values["external_id"] and group.external_id is None:
        _write(session, group, {"external_id": values["external_id"]})
    audit.record(session, actor, "group.created", code, actor.organization_id, name=group.name)
    return group


def add_group(session: Session, actor: Actor, name: str, external_id: str | None = None) -> Group:
    """Returns a new group with a code made from its name, such as bern-shift-2.

    Raises `Forbidden`, `GroupInvalid`, `ExternalIdTaken`.
    """
    actor.must_have(Permission.USERS)
    values = _checked({"name": name, "external_id": external_id})
    _refuse_taken(session, actor, values["external_id"], None)
    letters = unicodedata.normalize("NFKD", values["name"]).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", letters).strip("-")[:80] or "group"
    mine = Group.organization_id == actor.organization_id
    taken = set(session.scalars(select(Group.code).where(mine, Group.code.startswith(stem, autoescape=True))))
    for number in range(1, len(taken) + 10):  # some more: others may be adding groups too
        code = stem if number == 1 else f"{stem}-{number}"
        if code in taken:
            continue
        row = insert(Group).values(organization_id=actor.organization_id, code=code, **values)
        group: Group | None = session.scalar(row.on_conflict_do_nothing().returning(Group))
        if group is not None:
            audit.record(session, actor, "group.created", code, actor.organization_id, name=group.name)
            return group
        _refuse_taken(session, actor, values["external_id"], None)
    raise GroupInvalid


def change_group(session: Session, actor: Actor, group: Group, given: Mapping[str, object]) -> Group:
    """Returns the group with these of the `FIELDS` changed. Its code stays.

    Raises `Forbidden`, `GroupUnknown`, `GroupInvalid`, `ExternalIdTaken`.
    """
    lock_group(session, actor, group.id)
    values = _checked(given)
    changed = {name: value for name, value in values.items() if getattr(group, name) != value}
    if changed:
        _refuse_taken(session, actor, changed.get("external_id"), group.code)
        before = group.name
        _write(session, group, changed)
        details = {"before": before, "after": group.name} if "name" in changed else {}
        audit.record(
            session, actor, "group.changed", group.code, group.organization_id, changed=sorted(changed), **details
        )
    return group


def delete_group(session: Session, actor: Actor, group: Group, *, confirm: str | None = None) -> None:
    """Delete the group, if no rule, reset or event is about it. Its members stay users.

    `confirm` is its code as a person typed it, `None` from a program. Raises `Forbidden`, `GroupUnknown`,
    `GroupMismatch`, `GroupInUse`.
    """
    actor.must_have(Permission.USERS)
    if confirm is not None and confirm.strip() != group.code:
        raise GroupMismatch
    found = session.scalar(select(Group).where(Group.id == group.id).with_for_update())
    if found is None or found.organization_id != actor.organization_id:
        raise GroupUnknown(group.code)
    if uses_of(session, group).any:
        raise GroupInUse(group.code)
    session.execute(delete(GroupMember).where(GroupMember.group_id == group.id))
    session.delete(found)
    session.flush()
    audit.record(session, actor, "group.deleted", group.code, group.organization_id, name=group.name)


def uses_of(session: Session, group: Group) -> Uses:
    """Returns the rules, resets and events about the group."""

    def count(kind: type[Reset | Event]) -> int:
        return session.scalars(select(func.count()).select_from(kind).where(kind.group_id == group.id)).one()

    rules = session.scalars(select(Rule).where(Rule.group_id == group.id).order_by(Rule.id)).all()
    return Uses(list(rules), count(Reset), count(Event))


def add_members(session: Session, actor: Actor, group: Group, emails: list[str]) -> int:
    """Add these users to the group. Returns how many were not members before.

    Raises `Forbidden`, `GroupUnknown`, `UserUnknown`.
    """
    return change_members(session, actor, group, join=_user_ids(session, actor, group, emails))[0]


def remove_members(session: Session, actor: Actor, group: Group, emails: list[str]) -> int:
    """Remove these users from the group. Returns how many were members.

    Raises `Forbidden`, `GroupUnknown`, `UserUnknown`.
    """
    return change_members(session, actor, group, leave=_user_ids(session, actor, group, emails))[1]


def change_members(
    session: Session,
    actor: Actor,
    group: Group,
    *,
    join: Collection[int] = (),
    leave: Collection[int] = (),
    only: bool = False,
) -> tuple[int, int]:
    """Add and remove users by id, however many; with `only`, everyone else leaves. Returns how many joined and left.

    Raises `Forbidden`, `GroupUnknown`; `UserUnknown` if one who joins is no user, or was removed.
    """
    lock_group(session, actor, group.id)
    wanted, leaving = (literal(sorted(ids), ARRAY(BigInteger)) for ids in (join, leave))
    theirs = GroupMember.group_id == group.id
    others = GroupMember.user_id != all_(wanted) if only else GroupMember.user_id == any_(leaving)
    gone = delete(GroupMember).where(theirs, others).returning(GroupMember.user_id)
    left = session.scalars(gone, execution_options={"synchronize_session": False}).all()
    users = (User.id == any_(wanted)) & (User.organization_id == group.organization_id) & User.is_kept()
    if join:
        _refuse_unknown(session, join, users)
    new = select(literal(group.id, BigInteger), User.id, User.organization_id).where(users).order_by(User.id)
    columns = [GroupMember.group_id, GroupMember.user_id, GroupMember.organization_id]
    row = insert(GroupMember).from_select(columns, new).on_conflict_do_nothing().returning(GroupMember.user_id)
    joined = session.scalars(row).all() if join else []
    for action, ids in (("group.members_removed", left), ("group.members_added", joined)):
        if ids:
            audit.record(session, actor, action, group.code, group.organization_id, users=sorted(ids))
    return len(joined), len(left)


def lock_group(session: Session, actor: Actor, group_id: int) -> Group:
    """Returns the actor's group once no one else is changing it. Raises `Forbidden`, `GroupUnknown`."""
    actor.must_have(Permission.USERS)
    query = select(Group).where(Group.id == group_id, Group.organization_id == actor.organization_id)
    group = session.scalar(query.with_for_update(key_share=True).execution_options(populate_existing=True))
    if group is None:
        raise GroupUnknown(group_id)
    return group


def _refuse_unknown(session: Session, ids: Collection[int], users: ColumnElement[bool]) -> None:
    found = session.scalars(select(func.count()).select_from(User).where(users)).one()
    if found != len(set(ids)):
        known = set(session.scalars(select(User.id).where(users)))
        raise UserUnknown(str(min(set(ids) - known)))


def _user_ids(session: Session, actor: Actor, group: Group, emails: list[str]) -> list[int]:
    actor.must_have(Permission.USERS)
    if group.organization_id != actor.organization_id:
        raise GroupUnknown(group.code)
    return sorted(user.id for user in users_by_address(session, group.organization_id, emails))


def _checked(given: Mapping[str, object]) -> dict[str, Any]:
    try:
        return {name: FIELDS[name].checked(value) for name, value in given.items()}
    except WrongError:
        raise GroupInvalid from None


def _refuse_taken(session: Session, actor: Actor, external_id: str | None, but: str | None) -> None:
    if external_id is None:
        return
    mine = (Group.organization_id == actor.organization_id) & (Group.external_id == external_id)
    holder = session.scalar(select(Group.code).where(mine))
    if holder is not None and holder != but:
        raise ExternalIdTaken(external_id)


def _write(session: Session, group: Group, values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        setattr(group, name, value)
    try:
        with savepoint(session):
            session.flush()
    except IntegrityError:  # someone else took it a moment ago
        raise ExternalIdTaken(str(values["external_id"])) from None
