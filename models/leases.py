"""Leases: which process does the work that only one should do at a time, and until when.

A row instead of an advisory lock: it spans transactions and connections, also through a pooler, and expires if its
holder dies. It only saves double work; the rows themselves must prevent double results.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base


class Lease(Base):
    """A process's claim to a kind of work."""

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[UUID]
    until: Mapped[datetime]


def hold(session: Session, name: str, holder: UUID, seconds: float) -> bool:
    """Take or extend the lease for this many seconds from now. Returns whether the holder has it."""
    row = insert(Lease).values(
        name=name, holder=holder, until=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    )
    mine_or_over = (Lease.holder == holder) | (Lease.until < func.now())
    taken = row.on_conflict_do_update(
        index_elements=[Lease.name],
        set_={"holder": row.excluded.holder, "until": row.excluded.until},
        where=mine_or_over,
    ).returning(Lease.name)
    return session.scalar(taken) is not None


def give_back(session: Session, name: str, holder: UUID) -> None:
    """End the lease, so that others can take it at once."""
    session.execute(delete(Lease).where(Lease.name == name, Lease.holder == holder))
