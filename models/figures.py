"""Figures of the whole installation, over all its organizations, for `/metrics`.

Their cost grows with what is open or has just ended, not with history; totals over all time are in `models.tallies`.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import BigInteger, func, select, union_all
from sqlalchemy.orm import Session

from models.heartbeat import BEAT, Heartbeat
from models.notifications import IS_PENDING, Notification, NotificationState
from models.outbox import Outbox
from models.pauses import is_paused
from models.reset_queue import queued
from models.resets import Reset, ResetSlice, ResetState

RECENT = timedelta(days=1)


@dataclass(frozen=True)
class Backlog:
    """What an outbox holds."""

    waiting: int  # items due now or later
    overdue_seconds: float  # how long the oldest due item has been waiting; 0 if none is due
    given_up: int | None  # items no longer tried; `None` if this outbox never gives up


def backlog(session: Session, outbox: Outbox) -> Backlog:
    """Return what the outbox holds."""
    overdue = func.extract("epoch", func.now() - func.min(outbox.due_at))
    waiting, seconds = session.execute(select(func.count(), overdue).where(outbox.waiting)).one()
    given_up = None
    if outbox.given_up is not None:
        given_up = session.scalar(select(func.count()).select_from(outbox.table).where(outbox.given_up)) or 0
    return Backlog(waiting, max(0.0, float(seconds or 0)), given_up)


def age_of_oldest_open_run(session: Session) -> float:
    """Return the seconds since the oldest open run began that is neither paused nor queued; 0 if there is none."""
    # A run's id carries the time it began, also for a retry, whose request may be months old.
    began = func.greatest(Reset.start_at, func.uuid_extract_timestamp(Reset.task_id))
    age = func.extract("epoch", func.now() - func.min(began))
    due = Reset.state.in_((ResetState.REQUESTED, ResetState.RUNNING)) & (Reset.start_at <= func.now())
    due &= ~is_paused() & Reset.id.not_in(queued())
    return max(0.0, float(session.scalar(select(age).where(due)) or 0))


def open_learners(session: Session) -> int:
    """Return the number of learners in the ledger without an outcome."""
    left = ResetSlice.learners - ResetSlice.counted
    open_slices = ResetSlice.settled_at.is_(None)
    return int(session.scalars(select(func.coalesce(func.sum(left), 0)).where(open_slices)).one())


def waiting_learners(session: Session) -> int:
    """Return the number of learners who are reset here, and wait for a participant."""
    waiting = select(func.coalesce(func.sum(ResetSlice.waiting), 0)).where(ResetSlice.waiting > 0)
    return int(session.scalars(waiting).one())


def alerts_by_state(session: Session) -> dict[NotificationState, int]:
    """Return the counts of alerts created within the last day, by state; of pending alerts, all: those too for which
    there is only a slice of cleared learners yet."""
    recent = (
        select(Notification.state, func.count())
        .where(Notification.created_at > func.now() - RECENT)
        .group_by(Notification.state)
    )
    pending = select(func.count()).where(IS_PENDING)
    counts = dict.fromkeys(NotificationState, 0) | {state: count for state, count in session.execute(recent)}  # noqa: C416 - a row
    of_slices = select(func.coalesce(func.sum(ResetSlice.cleared), 0).cast(BigInteger)).where(ResetSlice.alerts_due)
    return counts | {NotificationState.PENDING: sum(session.scalars(union_all(pending, of_slices)))}


def age_of_last_beat(session: Session) -> float | None:
    """Return the seconds since beat last ticked; `None` if it never has."""
    age = func.extract("epoch", func.now() - Heartbeat.at)
    seconds = session.scalar(select(age).where(Heartbeat.part == BEAT))
    return None if seconds is None else float(seconds)
