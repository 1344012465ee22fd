"""Groups of users: sites, departments, crews. Rules and resets can take one as their audience."""

from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Select,
    UniqueConstraint,
    func,
    select,
    text,
    tuple_,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, Xid8, external_id_index
from models.external_ids import is_named
from models.people import User
from models.refusals.people import GroupUnknown


class Group(Base):
    """A group of an organization's users."""

    __tablename__ = "user_group"
    __table_args__ = (
        UniqueConstraint("organization_id", "code"),
        UniqueConstraint("id", "organization_id"),
        external_id_index("user_group"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    external_id: Mapped[str | None]  # the platform's own id
    code: Mapped[str]  # its name in commands and messages, such as bern-2
    name: Mapped[str]

    @classmethod
    def is_named(cls, name: str) -> ColumnElement[bool]:
        """Returns the condition that a group has this code, or this external id after `external:`."""
        return is_named(name, cls.code, cls.external_id)


class GroupMember(Base):
    """A user's membership in a group, with its start: users who join after a preview are not in the audience."""

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
    """Returns the organization's group with this code, or `external:` and its external id. Raises `GroupUnknown`."""
    group = session.scalar(select(Group).where(Group.organization_id == organization_id, Group.is_named(code)))
    if group is None:
        raise GroupUnknown(code)
    return group


def groups_with_size(session: Session, organization_id: int, *, external_id: str = "") -> list[tuple[Group, int]]:
    """Returns the organization's groups by code, or the one with this external id, each with its number of members."""
    query = (
        select(Group, func.count(GroupMember.user_id))
        .outerjoin(GroupMember, GroupMember.group_id == Group.id)
        .where(Group.organization_id == organization_id)
        .group_by(Group.id)
        .order_by(Group.code)
    )
    if external_id:
        query = query.where(Group.external_id == external_id)
    return [(group, size) for group, size in session.execute(query)]


def size_of(session: Session, group: Group) -> int:
    """Returns the group's number of members."""
    return session.scalars(select(func.count()).where(GroupMember.group_id == group.id)).one()


def members_at(group_id: int | None, moment: datetime) -> Select[int]:
    """Returns the query for the users who belong to the group and had joined it at that moment."""
    return select(GroupMember.user_id).where(GroupMember.group_id == group_id, GroupMember.joined_at <= moment)


def members_of(
    session: Session, group: Group, *, after: tuple[str, int] | None = None, limit: int | None = None
) -> list[User]:
    """Returns the group's members by name. `after` is the name and id of the last member of the previous page."""
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
