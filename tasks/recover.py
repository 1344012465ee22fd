"""Recover: send again what the ledger says is open and nobody is working on."""

from datetime import timedelta

import structlog
from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from config.settings import settings
from models.notifications import Notification, NotificationState
from models.resets import SETTLED, Reset, ResetSlice, ResetState
from models.session import transaction
from tasks.app import app
from tasks.due import send_due_outboxes
from tasks.messages import send_coordinator, send_notify

MOST_AT_ONCE = 100  # resets a run; the rest are found by the next

log = structlog.get_logger(__name__)


@app.task(name="recourse.recover", send_events=False)  # ticks would bury the jobs in Flower
def recover() -> None:
    """Call the coordinator of every reset that has come to a halt, `notify` where alerts were left, and what works off
    an outbox of which something is due.

    Runs every few seconds by beat. A tick that is lost or doubled makes no difference: it holds no state, and all that
    it sends may arrive any number of times.
    """
    with transaction() as session:
        for reset in _halted(session):
            if reset.recovered_at is None and reset.start_at > reset.requested_at:
                log.info("reset_due", reset=str(reset.id))
            else:
                log.warning("reset_recovered", reset=str(reset.id), state=reset.state.value)
                reset.recoveries += 1
            reset.recovered_at = session.scalars(select(func.now())).one()
            send_coordinator(session, reset)
        for reset in _with_alerts_left(session):
            log.warning("alerts_recovered", reset=str(reset.id))
            reset.recoveries += 1
            reset.recovered_at = session.scalars(select(func.now())).one()
            send_notify(session, reset)
        send_due_outboxes(session)


def _halted(session: Session) -> list[Reset]:
    """Open resets with nothing on its way, those whose moment has come, and settled ones without a Celery result."""
    since = func.now() - timedelta(seconds=settings().recover_after_seconds)
    open_slice = exists().where(ResetSlice.reset_id == Reset.id, ResetSlice.settled_at.is_(None))
    overdue = open_slice.where(ResetSlice.published_at < since)
    waiting = open_slice.where(ResetSlice.published_at.is_(None))
    in_flight = open_slice.where(ResetSlice.published_at >= since)
    halted = or_(
        (Reset.state == ResetState.REQUESTED)
        & or_(Reset.start_at <= func.now(), Reset.cancel_requested_at.is_not(None)),
        (Reset.state == ResetState.RUNNING)
        & or_(overdue, ~open_slice, waiting & ~in_flight, Reset.cancel_requested_at.is_not(None)),
        Reset.state.in_(SETTLED) & Reset.reported_at.is_(None) & (Reset.finished_at < since),
    )
    return list(
        session.scalars(
            select(Reset)
            .where(
                halted,
                or_(Reset.requested_at < since, Reset.start_at > Reset.requested_at),
                or_(Reset.recovered_at.is_(None), Reset.recovered_at < since),
            )
            .order_by(Reset.requested_at)
            .limit(MOST_AT_ONCE)
            .with_for_update(key_share=True, skip_locked=True)
        )
    )


def _with_alerts_left(session: Session) -> list[Reset]:
    since = func.now() - timedelta(seconds=settings().recover_after_seconds)
    left = select(Notification.reset_id).where(Notification.state == NotificationState.PENDING)
    return list(
        session.scalars(
            select(Reset)
            .where(
                Reset.id.in_(left),
                Reset.finished_at < since,
                func.coalesce(Reset.recovered_at, Reset.finished_at) < since,
            )
            .limit(MOST_AT_ONCE)
            .with_for_update(key_share=True, skip_locked=True)
        )
    )
