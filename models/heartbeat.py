"""Signs of life of what cannot be asked: beat takes no questions, so it leaves the time here."""

from datetime import datetime

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base

BEAT = "beat"


class Heartbeat(Base):
    """When a part of the installation last showed itself."""

    __tablename__ = "heartbeat"

    part: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())


def leave_heartbeat(session: Session, part: str) -> None:
    """Note that the part is alive at this moment."""
    alive = insert(Heartbeat).values(part=part)
    session.execute(alive.on_conflict_do_update(index_elements=[Heartbeat.part], set_={"at": func.now()}))
