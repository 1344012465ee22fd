"""Announcements of resets in chat channels: an outbox that `tasks/alerts/announce.py` works off."""

import hashlib
from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from config.settings import settings
from models.base import Base
from models.outbox import Outbox


class Announcement(Base):
    """A channel still to be notified that a reset ended. The row is deleted once it is, and kept if given up."""

    __tablename__ = "announcement"
    __table_args__ = (
        Index("ix_announcement_due", "organization_id", "next_try_at", postgresql_where=text("given_up_at IS NULL")),
        Index("ix_announcement_given_up_at", "given_up_at", postgresql_where=text("given_up_at IS NOT NULL")),
    )

    reset_id: Mapped[UUID] = mapped_column(ForeignKey("reset.id"), primary_key=True)
    organization_id: Mapped[int]  # the reset's: organizations take turns
    channel: Mapped[str] = mapped_column(primary_key=True)  # a key of `channels()`; the address is a secret
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_try_at: Mapped[datetime] = mapped_column(server_default=func.now())
    error: Mapped[str | None]  # of the last attempt
    given_up_at: Mapped[datetime | None]


ANNOUNCEMENTS = Outbox(
    Announcement,
    turn=Announcement.organization_id,
    due_at=Announcement.next_try_at,
    attempts=Announcement.attempts,
    waiting=Announcement.given_up_at.is_(None),
    given_up=Announcement.given_up_at.is_not(None),
    tried_at=Announcement.given_up_at,
)


def channels() -> dict[str, str]:
    """Returns the addresses of the channels in the settings, each under its hash."""
    urls = [url.get_secret_value() for url in settings().announce_urls]
    return {hashlib.sha256(url.encode()).hexdigest()[:16]: url for url in urls}


def announce_later(session: Session, organization_id: int, reset_id: UUID) -> None:
    """Queue an announcement of the reset for every channel."""
    if names := [{"reset_id": reset_id, "organization_id": organization_id, "channel": name} for name in channels()]:
        session.execute(insert(Announcement).values(names).on_conflict_do_nothing())
