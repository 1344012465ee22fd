"""A journal of what must not come back with an old backup: an outbox, which
`tasks/retention/journal.py` brings into the storage.

It says that registrations ended (their learners were reset, or erased) and that people were erased: by ids alone.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Identity, any_, delete, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import BigInteger

from models.base import Base
from models.certificates import hashes_under
from models.people import User


class JournalEntry(Base):
    """What is to be written into the journal. The row goes when it was."""

    __tablename__ = "journal_entry"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    said: Mapped[dict[str, Any]]


def note_ended(session: Session, registrations: list[UUID]) -> None:
    """Note that these registrations ended, and their certificates with them: nothing of it may come back.

    To be called before their records are deleted, in the same transaction.
    """
    if registrations:
        superseded = [digest.hex() for digest in session.scalars(hashes_under(registrations))]
        ended = [str(registration) for registration in registrations]
        session.add(JournalEntry(said={"ended": ended, "superseded": superseded}))


def note_erased(session: Session, user: User) -> None:
    """Note that the user was erased. With the moment they were made: after a restore, another may get the same id."""
    session.add(JournalEntry(said={"erased": [user.id, user.created_at.isoformat()]}))


def first_entries(session: Session, most: int) -> list[tuple[int, dict[str, Any]]]:
    """The first entries that are to be written, each with its number."""
    query = select(JournalEntry.id, JournalEntry.said).order_by(JournalEntry.id).limit(most)
    return [(number, said) for number, said in session.execute(query)]


def forget_entries(session: Session, numbers: list[int]) -> None:
    """Drop entries that are written."""
    session.execute(delete(JournalEntry).where(JournalEntry.id == any_(literal(numbers, ARRAY(BigInteger)))))


def same_person(user: User | None, made_at: str) -> bool:
    """Whether the user is the one whom an entry means."""
    return user is not None and user.created_at == datetime.fromisoformat(made_at)
