"""Objects of the storage that are to be deleted: an outbox, worked off by `tasks/files/deletions.py`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Computed,
    DateTime,
    ForeignKey,
    Index,
    Text,
    delete,
    func,
    literal,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base
from models.outbox import Item, Outbox
from models.session import changed_rows


class FileDeletion(Base):
    """An object that is to be deleted, tried again and again until it is gone; then this row goes too.

    An upload begins with such a row, due later, so that one that nobody completes is cleared away.
    """

    __tablename__ = "file_deletion"
    __table_args__ = (Index("ix_file_deletion_due", "folder", "next_try_at"), Index(None, "reset_id"))

    key: Mapped[str] = mapped_column(primary_key=True)
    folder: Mapped[str] = mapped_column(Computed("split_part(key, '/', 1)", persisted=True))  # its organization's
    reset_id: Mapped[UUID | None] = mapped_column(ForeignKey("reset.id"))  # none: an upload that was not completed
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_try_at: Mapped[datetime] = mapped_column(server_default=func.now())
    error: Mapped[str | None]  # of the last try
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


DELETIONS = Outbox(
    FileDeletion,
    turn=FileDeletion.folder,
    due_at=FileDeletion.next_try_at,
    attempts=FileDeletion.attempts,
    waiting=true(),
)


@dataclass(frozen=True)
class FilesLeft:
    """Files of a reset that are still in the storage."""

    pending: int
    failing: int  # of these, the ones that were tried in vain
    error: str | None  # of one of these tries
    next_try_at: datetime | None


def files_left(session: Session, reset_id: UUID) -> FilesLeft:
    """What of the reset's files is still in the storage. That there are some changes nothing about the reset."""
    failing = FileDeletion.error.is_not(None)
    row = session.execute(
        select(
            func.count(),
            func.count().filter(failing),
            func.max(FileDeletion.error),
            func.min(FileDeletion.next_try_at),
        ).where(FileDeletion.reset_id == reset_id)
    ).one()
    return FilesLeft(*row)


def delete_later(session: Session, key: str, after: timedelta) -> None:
    """Have the object deleted after that time, whether or not it is there by then."""
    row = insert(FileDeletion).values(key=key, next_try_at=func.now() + after)
    again = {"next_try_at": row.excluded.next_try_at, "attempts": 0}
    session.execute(row.on_conflict_do_update(index_elements=[FileDeletion.key], set_=again))


def put_off(session: Session, key: str, after: timedelta) -> bool:
    """Have a deletion wait for that time from now. Gives whether it could: not if it has been begun."""
    waiting = (FileDeletion.key == key) & (FileDeletion.attempts == 0)
    return changed_rows(session, update(FileDeletion).where(waiting).values(next_try_at=func.now() + after)) == 1


def keep(session: Session, key: str) -> bool:
    """Take the object out of the outbox: from the commit on, it is somebody's. Gives whether that was in time."""
    waiting = (FileDeletion.key == key) & (FileDeletion.attempts == 0) & (FileDeletion.next_try_at > func.now())
    return changed_rows(session, delete(FileDeletion).where(waiting)) == 1


def settle(session: Session, items: Sequence[Item], errors: Sequence[str | None]) -> None:
    """Drop the rows of what is gone, and keep why the rest is not; but not of a key that somebody has had deleted anew
    since it was taken."""
    outcome = select(
        func.unnest(literal([item.key[0] for item in items], ARRAY(Text))).label("key"),
        func.unnest(literal([item.attempt for item in items], ARRAY(BigInteger))).label("attempts"),
        func.unnest(literal([item.due_again_at for item in items], ARRAY(DateTime(timezone=True)))).label("due_at"),
        func.unnest(literal(list(errors), ARRAY(Text))).label("error"),
    ).subquery()
    of_this_try = (
        (FileDeletion.key == outcome.c.key)
        & (FileDeletion.attempts == outcome.c.attempts)
        & (FileDeletion.next_try_at == outcome.c.due_at)
    )
    unset = {"synchronize_session": False}
    session.execute(delete(FileDeletion).where(of_this_try, outcome.c.error.is_(None)), execution_options=unset)
    session.execute(
        update(FileDeletion).where(of_this_try, outcome.c.error.is_not(None)).values(error=outcome.c.error),
        execution_options=unset,
    )
