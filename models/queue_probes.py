"""Probes: messages that say when they were sent, by which `recover` learns how far each queue was read.

Queues are read in order. So once a probe was read, everything that was sent before it was read too, or was lost. That
tells a lost message from one that waits in a long queue, on any broker.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base

RAREST = 16  # a probe that is not read is sent again less and less often, up to this multiple of the first wait
READ = {"sent_in_vain": 0, "unread_since": None, "no_worker": False}  # of a queue that was read up to its last probe


class QueueProbe(Base):
    """The probes of a queue."""

    __tablename__ = "queue_probe"

    queue: Mapped[str] = mapped_column(primary_key=True)
    sent_at: Mapped[datetime]  # the last one
    sent_in_vain: Mapped[int]  # since one was read, or the queue was empty
    read_up_to: Mapped[datetime | None]  # when the latest one that was read had been sent
    unread_since: Mapped[datetime | None]  # when the first of those was sent that are not read
    no_worker: Mapped[bool] = mapped_column(server_default=text("false"))  # none answered for it since then


def probes_read(session: Session) -> dict[str, datetime | None]:
    """Returns by queue when the latest probe that was read had been sent."""
    return {probe.queue: probe.read_up_to for probe in session.scalars(select(QueueProbe))}


def begin_probe(session: Session, queue: str, seconds: float) -> datetime | None:
    """Note that a probe is sent now. Returns that moment; `None` if one is on its way, which gets so many seconds at
    first, and then twice as long each time."""
    times = func.least(RAREST, func.power(2, QueueProbe.sent_in_vain - 1))
    none_is_on_its_way = or_(
        QueueProbe.sent_in_vain == 0,
        QueueProbe.sent_at < func.now() - func.make_interval(0, 0, 0, 0, 0, 0, seconds * times),
    )
    row = insert(QueueProbe).values(queue=queue, sent_at=func.now(), sent_in_vain=1, unread_since=func.now())
    begun = row.on_conflict_do_update(
        index_elements=[QueueProbe.queue],
        set_={
            "sent_at": row.excluded.sent_at,
            "sent_in_vain": QueueProbe.sent_in_vain + 1,
            "unread_since": func.coalesce(QueueProbe.unread_since, row.excluded.sent_at),
        },
        where=none_is_on_its_way,
    ).returning(QueueProbe.sent_at)
    return session.scalar(begun)


def end_probe(session: Session, queue: str, sent_at: datetime) -> None:
    """Note that the probe was read that was sent at that moment. Does nothing if none was sent so late."""
    session.execute(
        update(QueueProbe)
        .where(QueueProbe.queue == queue, QueueProbe.sent_at >= sent_at)
        .values(read_up_to=func.greatest(QueueProbe.read_up_to, sent_at), **READ)
        .execution_options(synchronize_session=False)
    )


def forget_probes(session: Session, queues: Collection[str]) -> None:
    """Note that these queues are empty: a probe that is still on its way was lost."""
    # A process of a release before `unread_since` sets only `sent_in_vain` back.
    on_its_way = or_(QueueProbe.sent_in_vain > 0, QueueProbe.unread_since.is_not(None))
    session.execute(
        update(QueueProbe)
        .where(QueueProbe.queue.in_(queues), on_its_way)
        .values(**READ)
        .execution_options(synchronize_session=False)
    )


def long_unread(session: Session, seconds: float) -> list[str]:
    """Returns the queues whose probes were not read for so many seconds."""
    since = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    return list(session.scalars(select(QueueProbe.queue).where(QueueProbe.unread_since < since)))


def note_workers(session: Session, asked: Collection[str], missing: Collection[str]) -> None:
    """Note for which of the queues that were asked about no worker answered. One that was read meanwhile has one."""
    session.execute(
        update(QueueProbe)
        .where(QueueProbe.queue.in_(asked), QueueProbe.unread_since.is_not(None))
        .values(no_worker=QueueProbe.queue.in_(missing))
        .execution_options(synchronize_session=False)
    )
