"""Objects of the storage that are to be deleted: an outbox, worked off by `tasks/files.py`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, Text, any_, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base
from models.session import changed_rows

FIRST_WAIT = 60  # seconds; no try takes much longer, so two seldom overlap, and do no harm if they do
LONGEST_WAIT = 6 * 3600  # it is tried for as long as it takes


class FileDeletion(Base):
    """An object that is to be deleted, tried again and again until it is gone; then this row goes too.

    An upload begins with such a row, due later, so that one that nobody completes is cleared away.
    """

    __tablename__ = "file_deletion"
    __table_args__ = (Index(None, "next_try_at"), Index(None, "reset_id"))

    key: Mapped[str] = mapped_column(primary_key=True)
    reset_id: Mapped[UUID | None] = mapped_column(ForeignKey("reset.id"))  # none: an upload that was not completed
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_try_at: Mapped[datetime] = mapped_column(server_default=func.now())
    error: Mapped[str | None]  # of the last try
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


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


def take_due(session: Session, most: int) -> dict[str, int]:
    """Take deletions that are due, and set the moment of their next try before this one is made: who dies of it leaves
    nothing to clear up. Gives the number of the try by key."""
    due = (
        select(FileDeletion.key)
        .where(FileDeletion.next_try_at <= func.now())
        .order_by(FileDeletion.next_try_at)
        .limit(most)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    wait = func.least(LONGEST_WAIT, FIRST_WAIT * func.power(2, func.least(FileDeletion.attempts, 20)))
    taken = session.execute(
        update(FileDeletion)
        .where(FileDeletion.key == due.c.key)
        .values(attempts=FileDeletion.attempts + 1, next_try_at=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, wait))
        .returning(FileDeletion.key, FileDeletion.attempts)
        .execution_options(synchronize_session=False)
    )
    return {row.key: row.attempts for row in taken}


def forget_deleted(session: Session, deleted: dict[str, int]) -> None:
    """Drop the rows of what is gone; but not of a key that somebody has had deleted anew since it was taken."""
    gone = select(
        func.unnest(literal(list(deleted), ARRAY(Text))).label("key"),
        func.unnest(literal(list(deleted.values()), ARRAY(BigInteger))).label("attempts"),
    ).subquery()
    session.execute(
        delete(FileDeletion)
        .where(FileDeletion.key == gone.c.key, FileDeletion.attempts == gone.c.attempts)
        .execution_options(synchronize_session=False)
    )


def note_errors(session: Session, errors: dict[str, str]) -> None:
    """Keep why objects could not be deleted."""
    for error in set(errors.values()):
        keys = [key for key, why in errors.items() if why == error]
        session.execute(
            update(FileDeletion)
            .where(FileDeletion.key == any_(literal(keys, ARRAY(Text))))
            .values(error=error)
            .execution_options(synchronize_session=False)
        )
