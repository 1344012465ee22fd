"""Send again what the ledger says is open and no one is working on."""

from datetime import timedelta
from typing import Any

import structlog
from kombu.exceptions import OperationalError
from sqlalchemy import ColumnElement, case, exists, func, or_, select, union_all
from sqlalchemy.orm import Session, aliased

from config.celery import BULK, INTERACTIVE, NOTIFY, QUEUES
from config.settings import settings
from models.notifications import IS_PENDING, Notification
from models.participant_asks import is_asking
from models.pauses import is_paused
from models.reset_queue import queued
from models.resets import SETTLED, Audience, Reset, ResetSlice, ResetState
from models.session import transaction
from tasks.app import app
from tasks.broker import messages_waiting
from tasks.messages import queue_of_coordinator, send_coordinator, send_notify
from tasks.outbox.due import send_due_outboxes
from tasks.reset.window import LEARNERS_ONE_BY_ONE

MOST_AT_ONCE = 100  # resets per run; the next run finds the rest
RAREST = 128  # waits double after each unanswered message, up to this many times the first wait

log = structlog.get_logger(__name__)


@app.task(name="recourse.recover", send_events=False)  # ticks would bury the jobs in Flower
def recover() -> None:
    """Send the coordinator of every halted reset, `notify` for alerts that were left, and the tasks of due outboxes.

    Beat sends it every few seconds. Lost or repeated ticks do no harm: it keeps no state, and everything it sends may
    arrive any number of times.
    """
    waiting = _waiting()
    with transaction() as session:
        for reset in _halted(session, waiting):
            if reset.recovered_at is None and reset.start_at > reset.requested_at:
                log.info("reset_due", reset=str(reset.id))
            elif waiting[INTERACTIVE] + waiting[queue_of_coordinator(reset)]:
                log.info("reset_sent_again", reset=str(reset.id), state=reset.state.value)
            else:
                log.warning("reset_recovered", reset=str(reset.id), state=reset.state.value)
                reset.recoveries += 1
            _note_sent(session, reset)
            # Without an expiry: Celery would store REVOKED as the result of a late message.
            send_coordinator(session, reset)
        for reset in _with_alerts_left(session, waiting):
            if waiting[NOTIFY]:
                log.info("alerts_sent_again", reset=str(reset.id))
            else:
                log.warning("alerts_recovered", reset=str(reset.id))
                reset.recoveries += 1
            _note_sent(session, reset)
            send_notify(session, reset, expires=settings().recover_after_seconds * min(RAREST, 2**reset.sent_in_vain))
        send_due_outboxes(session)


def _waiting() -> dict[str, int]:
    try:
        return messages_waiting()
    except OperationalError as error:  # then nothing can be sent either
        log.warning("broker_away", error=str(error))
        return dict.fromkeys(QUEUES, 1)


def _note_sent(session: Session, reset: Reset) -> None:
    reset.recovered_at = session.scalars(select(func.now())).one()
    reset.sent_in_vain += 1


def _patience(waiting: int) -> ColumnElement[timedelta]:
    """Returns how long to wait for an answer before sending again. If no messages wait, the last one was lost.
    Otherwise, it may be among them, without a worker to read it: the wait doubles with each message sent."""
    times = func.least(RAREST, func.power(2, Reset.sent_in_vain)) if waiting else 1
    return func.make_interval(0, 0, 0, 0, 0, 0, settings().recover_after_seconds * times)


def _halted(session: Session, messages: dict[str, int]) -> list[Reset]:
    """Returns open resets without a message, resets whose start time has come, and settled ones without a result."""
    since = func.now() - timedelta(seconds=settings().recover_after_seconds)
    open_slice = exists().where(ResetSlice.reset_id == Reset.id, ResetSlice.settled_at.is_(None))
    overdue = open_slice.where(ResetSlice.published_at < since)
    waiting = open_slice.where(ResetSlice.published_at.is_(None))
    other = aliased(Reset)
    # If the organization's window is full, a reset has to wait for its turn.
    in_flight = exists().where(
        other.organization_id == Reset.organization_id,
        other.state == ResetState.RUNNING,
        (other.learners <= LEARNERS_ONE_BY_ONE) == (Reset.learners <= LEARNERS_ONE_BY_ONE),
        ResetSlice.reset_id == other.id,
        ResetSlice.settled_at.is_(None),
        ResetSlice.published_at.is_not(None),
        ~is_paused(other),
    )
    halted = or_(
        (Reset.state == ResetState.REQUESTED)
        & or_(
            (Reset.start_at <= func.now()) & ~is_paused() & Reset.id.not_in(queued()),
            Reset.cancel_requested_at.is_not(None),
        ),
        (Reset.state == ResetState.RUNNING)
        & or_(
            or_(overdue, ~open_slice & ~is_asking(Reset.id), waiting & ~in_flight) & ~is_paused(),
            Reset.cancel_requested_at.is_not(None),
        ),
        Reset.state.in_(SETTLED) & Reset.reported_at.is_(None) & (Reset.finished_at < since),
    )
    patience = case(
        (Reset.audience == Audience.USERS, _patience(messages[INTERACTIVE])), else_=_patience(messages[BULK])
    )
    return list(
        session.scalars(
            select(Reset)
            .where(
                halted,
                or_(Reset.requested_at < since, Reset.start_at > Reset.requested_at),
                or_(Reset.recovered_at.is_(None), Reset.recovered_at < func.now() - patience),
            )
            .order_by(Reset.requested_at)
            .limit(MOST_AT_ONCE)
            .with_for_update(key_share=True, skip_locked=True)
        )
    )


def _with_alerts_left(session: Session, messages: dict[str, int]) -> list[Reset]:
    since = func.now() - timedelta(seconds=settings().recover_after_seconds)
    left: Any = union_all(
        select(Notification.reset_id).where(IS_PENDING),
        select(ResetSlice.reset_id).where(ResetSlice.alerts_due),
    )
    return list(
        session.scalars(
            select(Reset)
            .where(
                Reset.id.in_(left),
                Reset.finished_at < since,
                func.coalesce(Reset.recovered_at, Reset.finished_at) < func.now() - _patience(messages[NOTIFY]),
            )
            .limit(MOST_AT_ONCE)
            .with_for_update(key_share=True, skip_locked=True)
        )
    )
