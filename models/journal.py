"""The journal of what an old backup must not bring back: an outbox that `tasks/retention/journal.py` writes to the
storage.

It records, by id only, which registrations ended (by a reset or an erasure), and which people were erased, were removed
or came back.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Identity, any_, delete, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import BigInteger

from models.base import Base
from models.certificates import hashes_under
from models.people import User


class JournalEntry(Base):
    """An entry to be written to the storage. The row is deleted once it is."""

    __tablename__ = "journal_entry"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    said: Mapped[dict[str, Any]]


def note_ended(registrations: ColumnElement[Sequence[UUID]]) -> Insert:
    """Returns the statement that records that these registrations and their certificates ended.

    The certificates' rows must still be there for it.
    """
    hashes = hashes_under(registrations).subquery()
    superseded = select(func.jsonb_agg(func.encode(hashes.c.hash, "hex"))).scalar_subquery()
    said = func.jsonb_build_object(
        "ended", func.to_jsonb(registrations), "superseded", func.coalesce(superseded, func.jsonb_build_array())
    )
    return insert(JournalEntry).from_select(
        [JournalEntry.said], select(said).where(func.cardinality(registrations) > 0)
    )


def note_erased(session: Session, user: User) -> None:
    """Record that the user was erased. The creation time is added because ids can be reused after a restore."""
    session.add(JournalEntry(said={"erased": [user.id, user.created_at.isoformat()]}))


def note_removed(session: Session, user: User) -> None:
    """Record that the user was removed."""
    _note(session, "removed", user)


def note_returned(session: Session, user: User) -> None:
    """Record that the removed user came back. Imports do so by themselves."""
    _note(session, "returned", user)


def _note(session: Session, what: str, user: User) -> None:
    now = session.scalars(select(func.clock_timestamp())).one()  # of several such entries the last counts
    session.add(JournalEntry(said={what: [user.id, user.created_at.isoformat(), now.isoformat()]}))


def first_entries(session: Session, most: int) -> list[tuple[int, dict[str, Any]]]:
    """Returns up to `most` entries, oldest first, each with its number."""
    query = select(JournalEntry.id, JournalEntry.said).order_by(JournalEntry.id).limit(most)
    return [(number, said) for number, said in session.execute(query)]


def forget_entries(session: Session, numbers: list[int]) -> None:
    """Delete entries that have been written."""
    session.execute(delete(JournalEntry).where(JournalEntry.id == any_(literal(numbers, ARRAY(BigInteger)))))


def same_person(user: User | None, made_at: str) -> bool:
    """Returns whether an entry that names this creation time means this user."""
    return user is not None and user.created_at == datetime.fromisoformat(made_at)
