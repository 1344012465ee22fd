"""Signs of life of processes that answer no questions, such as beat, and of the ticks that it sends."""

from datetime import datetime

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base

BEAT = "beat"
TICKS = "recover"  # a worker for the queue `interactive` carries them out, or reads a probe there


class Heartbeat(Base):
    """The last sign of life of a part of the installation."""

    __tablename__ = "heartbeat"

    part: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())


def leave_heartbeat(session: Session, part: str) -> None:
    """Store that the part is alive now."""
    alive = insert(Heartbeat).values(part=part)
    session.execute(alive.on_conflict_do_update(index_elements=[Heartbeat.part], set_={"at": func.now()}))
