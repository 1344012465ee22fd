"""Pauses: who holds a reset, an organization, or everything, since when and why. Resuming deletes the row."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    and_,
    func,
    or_,
    select,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from config.languages import gettext
from models.access import Permission
from models.base import Base
from models.people import User
from models.resets import SETTLED, Reset


class PauseScope(StrEnum):
    """What a pause holds, the widest first."""

    EVERYTHING = "everything"
    ORGANIZATION = "organization"
    RESET = "reset"


class Pause(Base):
    """What is paused: one reset, the organization if no reset is named, and everything if neither is."""

    __tablename__ = "pause"
    __table_args__ = (
        Index("uq_pause_scope", "organization_id", "reset_id", unique=True, postgresql_nulls_not_distinct=True),
        Index(None, "reset_id"),
        Index(None, "paused_by", "organization_id"),
        ForeignKeyConstraint(["paused_by", "organization_id"], ["user.id", "user.organization_id"]),
        CheckConstraint("reset_id IS NULL OR organization_id IS NOT NULL", name="a_reset_has_its_organization"),
        CheckConstraint("length(trim(reason)) > 0", name="reason_is_given"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))
    reset_id: Mapped[UUID | None] = mapped_column(ForeignKey("reset.id", ondelete="CASCADE"))
    reason: Mapped[str]
    paused_by: Mapped[int | None]  # none: an operator
    pauser: Mapped[str]
    paused_at: Mapped[datetime] = mapped_column(server_default=func.now())

    @property
    def scope(self) -> PauseScope:
        """What it holds."""
        if self.reset_id is not None:
            return PauseScope.RESET
        return PauseScope.EVERYTHING if self.organization_id is None else PauseScope.ORGANIZATION


@dataclass(frozen=True)
class Paused:
    """A pause to be shown."""

    scope: PauseScope
    reason: str
    by: str  # the name of the user, or the account at the console; for everything, no name of a user
    at: datetime


def is_paused(reset: Any = Reset) -> ColumnElement[bool]:
    """Returns the condition that the reset, its organization or everything is paused."""
    this = or_(Pause.reset_id.is_(None), Pause.reset_id == reset.id)
    holds = or_(Pause.organization_id.is_(None), and_(Pause.organization_id == reset.organization_id, this))
    return select(Pause.id).where(holds).correlate(reset).exists()


def holds_organization(organization_id: Any) -> ColumnElement[bool]:
    """Returns the condition that the organization, or everything, is paused."""
    whole = or_(Pause.organization_id.is_(None), Pause.organization_id == organization_id)
    return select(Pause.id).where(whole, Pause.reset_id.is_(None)).exists()


def pauses_of(session: Session, resets: Sequence[Reset]) -> dict[UUID, Paused]:
    """Returns the widest pause of each of the open ones of the resets that is paused."""
    resets = [one for one in resets if one.state not in SETTLED]
    if not resets:
        return {}
    ids, organizations = [one.id for one in resets], {one.organization_id for one in resets}
    these = or_(Pause.reset_id.is_(None), Pause.reset_id.in_(ids))
    of_theirs = or_(Pause.organization_id.is_(None), Pause.organization_id.in_(organizations))
    by_place = {(pause.organization_id, pause.reset_id): shown for pause, shown in _found(session, these & of_theirs)}
    held: dict[UUID, Paused] = {}
    for reset in resets:
        for place in ((None, None), (reset.organization_id, None), (reset.organization_id, reset.id)):
            if place in by_place:
                held.setdefault(reset.id, by_place[place])
    return held


def pause_of_organization(session: Session, organization_id: int) -> Paused | None:
    """Returns the widest pause that holds the whole organization; `None` if there is none."""
    whole = or_(Pause.organization_id.is_(None), Pause.organization_id == organization_id)
    return next((shown for _, shown in _found(session, whole & Pause.reset_id.is_(None))), None)


def pause_of_everything(session: Session) -> Paused | None:
    """Returns the pause of the whole installation; `None` if there is none."""
    return next((shown for _, shown in _found(session, Pause.organization_id.is_(None))), None)


def all_pauses(session: Session) -> list[tuple[Pause, Paused]]:
    """Returns all pauses of the installation, the widest first."""
    return _found(session, Pause.id.is_not(None))


def _found(session: Session, which: ColumnElement[bool]) -> list[tuple[Pause, Paused]]:
    rows = session.execute(
        select(Pause, func.coalesce(User.name, Pause.pauser))
        .outerjoin(User, User.id == Pause.paused_by)
        .where(which)
        .order_by(Pause.organization_id.is_not(None), Pause.reset_id.is_not(None), Pause.id)
    )
    return [(pause, Paused(pause.scope, pause.reason, _shown(pause, name), pause.paused_at)) for pause, name in rows]


def _shown(pause: Pause, name: str) -> str:
    """Returns the name. An operator's is that of their permission: no organization sees who is in another."""
    operator = pause.scope == PauseScope.EVERYTHING and name.startswith("user:")
    return gettext(Permission.OPERATIONS) if operator else name
