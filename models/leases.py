"""Leases: of what one process at a time is to do, who does it and until when.

A row and no advisory lock: it is held over many transactions on any connections, also through a pooler, and it ends by
itself when its holder dies. It keeps the work in one place and no more: what two must not do at once is held to that by
the rows that they work on.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base


class Lease(Base):
    """That someone is at it."""

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[UUID]
    until: Mapped[datetime]


def hold(session: Session, name: str, holder: UUID, seconds: float) -> bool:
    """Take the lease for so long from now, or hold it longer. Gives whether it is the holder's."""
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
    """Let others have it at once."""
    session.execute(delete(Lease).where(Lease.name == name, Lease.holder == holder))
