"""Objects to be deleted from the storage: an outbox that `tasks/files/deletions.py` works off."""

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
    """An object to be deleted. The row is deleted once the object is.

    An upload begins with such a row, which is due later, so that abandoned uploads are deleted.
    """

    __tablename__ = "file_deletion"
    __table_args__ = (Index("ix_file_deletion_due", "folder", "next_try_at"), Index(None, "reset_id"))

    key: Mapped[str] = mapped_column(primary_key=True)
    folder: Mapped[str] = mapped_column(Computed("split_part(key, '/', 1)", persisted=True))  # its organization's
    reset_id: Mapped[UUID | None] = mapped_column(ForeignKey("reset.id"))  # NULL for an upload that was not completed
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_try_at: Mapped[datetime] = mapped_column(server_default=func.now())
    error: Mapped[str | None]  # of the last attempt
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
    """The files of a reset that are still in the storage."""

    pending: int
    failing: int  # of these, after a failed attempt
    error: str | None  # of one of these attempts
    next_try_at: datetime | None


def files_left(session: Session, reset_id: UUID) -> FilesLeft:
    """Returns which files of the reset are still in the storage. They do not affect the reset's state."""
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
    """Queue the deletion of the object for that time from now, whether it exists by then or not."""
    row = insert(FileDeletion).values(key=key, next_try_at=func.now() + after)
    again = {"next_try_at": row.excluded.next_try_at, "attempts": 0}
    session.execute(row.on_conflict_do_update(index_elements=[FileDeletion.key], set_=again))


def put_off(session: Session, key: str, after: timedelta) -> bool:
    """Postpone a deletion to that time from now. Returns `False` if it has already begun."""
    waiting = (FileDeletion.key == key) & (FileDeletion.attempts == 0)
    return changed_rows(session, update(FileDeletion).where(waiting).values(next_try_at=func.now() + after)) == 1


def keep(session: Session, key: str) -> bool:
    """Cancel the deletion, because the object now belongs to a learner. Returns `False` if it was too late."""
    waiting = (FileDeletion.key == key) & (FileDeletion.attempts == 0) & (FileDeletion.next_try_at > func.now())
    return changed_rows(session, delete(FileDeletion).where(waiting)) == 1


def settle(session: Session, items: Sequence[Item], errors: Sequence[str | None]) -> None:
    """Delete the rows of deleted objects, and store the errors of the others. Skips rows that were queued again after
    they were taken."""
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
