"""Announcements of resets to the channels of the settings: an outbox, worked off by `tasks/announce.py`."""

import hashlib
from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from config.settings import settings
from models.base import Base


class Announcement(Base):
    """That a channel is still to be told of a reset's end. The row goes when it was."""

    __tablename__ = "announcement"
    __table_args__ = (Index(None, "next_try_at"),)

    reset_id: Mapped[UUID] = mapped_column(ForeignKey("reset.id"), primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)  # see `channels`; its address is a secret
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_try_at: Mapped[datetime] = mapped_column(server_default=func.now())


def channels() -> dict[str, str]:
    """The addresses of the channels in the settings, each under a name that tells nothing of it."""
    urls = [url.get_secret_value() for url in settings().announce_urls]
    return {hashlib.sha256(url.encode()).hexdigest()[:16]: url for url in urls}


def announce_later(session: Session, reset_id: UUID) -> None:
    """Have every channel told of the reset once the session's transaction is committed."""
    if names := [{"reset_id": reset_id, "channel": name} for name in channels()]:
        session.execute(insert(Announcement).values(names).on_conflict_do_nothing())
