"""Groups of users: sites, departments, crews. Rules and resets can take one as their audience."""

from datetime import datetime

from sqlalchemy import (
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    UniqueConstraint,
    delete,
    func,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models import audit
from models.access import Actor, Permission
from models.base import Base, Xid8
from models.people import User
from models.refusals import GroupInvalid, GroupUnknown, UserUnknown
from models.session import changed_rows


class Group(Base):
    """A group of an organization's users."""

    __tablename__ = "user_group"
    __table_args__ = (UniqueConstraint("organization_id", "code"), UniqueConstraint("id", "organization_id"))

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    code: Mapped[str]  # what it is called in commands and messages: bern-2
    name: Mapped[str]


class GroupMember(Base):
    """That a user belongs to a group, and since when: who joins after a preview is not in it."""

    __tablename__ = "group_member"
    __table_args__ = (
        ForeignKeyConstraint(["group_id", "organization_id"], ["user_group.id", "user_group.organization_id"]),
        ForeignKeyConstraint(["user_id", "organization_id"], ["user.id", "user.organization_id"]),
        Index(None, "group_id", "organization_id"),
        Index(None, "user_id", "organization_id"),
    )

    group_id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(primary_key=True)
    organization_id: Mapped[int]
    joined_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    joined_xid: Mapped[str] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"))


def group_by_code(session: Session, organization_id: int, code: str) -> Group:
    """The organization's group of this code. Raises `GroupUnknown`."""
    group = session.scalar(select(Group).where(Group.organization_id == organization_id, Group.code == code))
    if group is None:
        raise GroupUnknown(code)
    return group


def create_group(session: Session, actor: Actor, code: str, name: str) -> Group:
    """A new group, or the one there is of this code, which keeps its name. Raises `Forbidden`, `GroupInvalid`."""
    actor.must_have(Permission.USERS)
    code, name = code.strip(), name.strip()
    if not code or not name or len(code) > 100 or len(name) > 200 or "/" in code or "\x00" in code + name:
        raise GroupInvalid
    session.execute(
        insert(Group)
        .values(organization_id=actor.organization_id, code=code, name=name)
        .on_conflict_do_nothing(index_elements=[Group.organization_id, Group.code])
    )
    group = group_by_code(session, actor.organization_id, code)
    audit.record(session, actor, "group.created", code, actor.organization_id, name=group.name)
    return group


def add_members(session: Session, actor: Actor, group: Group, emails: list[str]) -> int:
    """Have these users belong to the group. Gives how many are new in it. Raises `Forbidden`, `UserUnknown`."""
    actor.must_have(Permission.USERS)
    users = _users(session, group, emails)
    rows = [{"group_id": group.id, "user_id": user, "organization_id": group.organization_id} for user in users]
    added = changed_rows(session, insert(GroupMember).values(rows).on_conflict_do_nothing()) if rows else 0
    audit.record(session, actor, "group.members_added", group.code, group.organization_id, users=users)
    return added


def remove_members(session: Session, actor: Actor, group: Group, emails: list[str]) -> int:
    """Have these users belong to it no longer. Gives how many did. Raises `Forbidden`, `UserUnknown`."""
    actor.must_have(Permission.USERS)
    users = _users(session, group, emails)
    removed = changed_rows(
        session, delete(GroupMember).where(GroupMember.group_id == group.id, GroupMember.user_id.in_(users))
    )
    audit.record(session, actor, "group.members_removed", group.code, group.organization_id, users=users)
    return removed


def groups_with_size(session: Session, organization_id: int) -> list[tuple[Group, int]]:
    """The organization's groups by code, each with the number of its members."""
    query = (
        select(Group, func.count(GroupMember.user_id))
        .outerjoin(GroupMember, GroupMember.group_id == Group.id)
        .where(Group.organization_id == organization_id)
        .group_by(Group.id)
        .order_by(Group.code)
    )
    return [(group, size) for group, size in session.execute(query)]


def members_of(
    session: Session, group: Group, *, after: tuple[str, int] | None = None, limit: int | None = None
) -> list[User]:
    """The group's members by name, from after `after`, the name and id of the last one seen."""
    query = (
        select(User)
        .join(GroupMember, GroupMember.user_id == User.id)
        .where(GroupMember.group_id == group.id)
        .order_by(User.name, User.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(tuple_(User.name, User.id) > after)
    return list(session.scalars(query))


def _users(session: Session, group: Group, emails: list[str]) -> list[int]:
    wanted = list(dict.fromkeys(email.lower() for email in emails))
    address = func.lower(User.email)
    query = select(address, User.id).where(User.organization_id == group.organization_id, address.in_(wanted))
    found = {email: user for email, user in session.execute(query)}  # noqa: C416 - a row is no tuple to mypy
    for email in wanted:
        if email not in found:
            raise UserUnknown(email)
    return sorted(found.values())
