"""Fill a group from a pasted list: what would change, and the change."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import BigInteger, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from models.access import Actor
from models.groups import Group, GroupMember
from models.people import User
from tasks.people.groups import change_members, lock_group


class FillMode(StrEnum):
    """What a list does to a group."""

    ADD = "add"
    REPLACE = "replace"  # who is not in the list leaves
    REMOVE = "remove"


@dataclass(frozen=True)
class Filling:
    """What a list would change in a group."""

    joining: int
    leaving: int
    staying: int  # members who are in the list and stay
    strangers: int  # in a list of users to remove, those who are no members
    leavers: list[str]  # names of some who leave

    @property
    def changes(self) -> bool:
        """Whether anything would change."""
        return bool(self.joining or self.leaving)


NAMES_SHOWN = 10


def filling_of(session: Session, group: Group, mode: FillMode, ids: Collection[int]) -> Filling:
    """Returns what these users would change in the group. Changes nothing."""
    listed = GroupMember.user_id == any_(literal(sorted(ids), ARRAY(BigInteger)))
    theirs = GroupMember.group_id == group.id
    known, size = session.execute(
        select(func.count().filter(listed), func.count()).select_from(GroupMember).where(theirs)
    ).one()
    leaving = {FillMode.ADD: 0, FillMode.REPLACE: size - known, FillMode.REMOVE: known}[mode]
    who = listed if mode == FillMode.REMOVE else ~listed
    names = (
        select(User.name)
        .join(GroupMember, GroupMember.user_id == User.id)
        .where(theirs, who)
        .order_by(User.name)
        .limit(NAMES_SHOWN)
    )
    return Filling(
        joining=0 if mode == FillMode.REMOVE else len(ids) - known,
        leaving=leaving,
        staying=0 if mode == FillMode.REMOVE else known,
        strangers=len(ids) - known if mode == FillMode.REMOVE else 0,
        leavers=list(session.scalars(names)) if leaving else [],
    )


def fill_group(session: Session, actor: Actor, group: Group, mode: FillMode, ids: Collection[int]) -> tuple[int, int]:
    """Add these users to the group, remove them, or make them its members. Returns how many joined and left.

    Raises `Forbidden`, `GroupUnknown`; `UserUnknown` if one who joins is no user, or was removed.
    """
    lock_group(session, actor, group.id)
    if mode == FillMode.REMOVE:
        return change_members(session, actor, group, leave=ids)
    return change_members(session, actor, group, join=ids, only=mode == FillMode.REPLACE)
