"""Send again what the ledger says is open and no one is working on."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from kombu.exceptions import OperationalError
from sqlalchemy import ColumnElement, DateTime, case, exists, func, literal, or_, select, union_all, update
from sqlalchemy.orm import Session, aliased

from config.celery import BULK, INTERACTIVE, NOTIFY
from config.log import logger
from config.settings import settings
from models.evidence import is_writing
from models.heartbeat import TICKS, leave_heartbeat
from models.notifications import IS_PENDING, Notification
from models.participant_asks import is_asking
from models.pauses import is_paused
from models.reset_queue import queued
from models.resets import SETTLED, Reset, ResetSlice, ResetState
from models.session import transaction
from tasks.app import app
from tasks.broker import messages_waiting
from tasks.messages import queue_of_coordinator, send_coordinator, send_notify
from tasks.outbox.due import send_due_outboxes
from tasks.probe import look_for_workers, read_up_to
from tasks.reset.window import LEARNERS_ONE_BY_ONE, send_lost

MOST_AT_ONCE = 100  # resets per run; the next run finds the rest
RAREST = 128  # what may still wait in the queue is sent again ever less often, up to this many times the first wait

log = logger(__name__)


@app.task(name="recourse.recover", send_events=False)  # ticks would bury the jobs in Flower
def recover() -> None:
    """Send lost slices, the coordinator of every halted reset, `notify` for alerts that were left, and the tasks of due
    outboxes.

    Beat sends it every few seconds. Lost or repeated ticks do no harm: it keeps no state, and everything it sends may
    arrive any number of times.
    """
    with transaction() as session:  # first: this tick is carried out, even if the broker is away by now
        leave_heartbeat(session, TICKS)
    try:
        waiting = messages_waiting()
    except OperationalError as error:  # then nothing can be sent either
        log.warning("broker_away", error=str(error))
        return
    with transaction() as session:
        read = read_up_to(session, waiting)
        lost = send_lost(session, read)
    with transaction() as session:
        _count_recoveries(session, lost)
        for reset in _halted(session, read):
            if reset.recovered_at is None and reset.start_at > reset.requested_at:
                log.info("reset_due", reset=str(reset.id))
            elif _is_lost(reset, read[queue_of_coordinator(reset)]):
                log.warning("reset_recovered", reset=str(reset.id), state=reset.state.value)
                reset.recoveries += 1
            else:
                log.info("reset_sent_again", reset=str(reset.id), state=reset.state.value)
            _note_sent(session, reset)
            # Without an expiry: Celery would store REVOKED as the result of a late message.
            send_coordinator(session, reset)
        for reset in _with_alerts_left(session, read[NOTIFY]):
            if _is_lost(reset, read[NOTIFY]):
                log.warning("alerts_recovered", reset=str(reset.id))
                reset.recoveries += 1
            else:
                log.info("alerts_sent_again", reset=str(reset.id))
            _note_sent(session, reset)
            send_notify(session, reset, expires=settings().recover_after_seconds * min(RAREST, 2**reset.sent_in_vain))
        send_due_outboxes(session)
    with suppress(OperationalError):
        look_for_workers()


def _count_recoveries(session: Session, resets: Sequence[UUID]) -> None:
    """Count in a transaction after that of the slices: whoever holds a reset's row may wait for its slices."""
    if resets:
        session.execute(
            update(Reset)
            .where(Reset.id.in_(resets))
            .values(recoveries=Reset.recoveries + 1)
            .execution_options(synchronize_session=False)
        )


def _note_sent(session: Session, reset: Reset) -> None:
    reset.recovered_at = session.scalars(select(func.now())).one()
    reset.sent_in_vain += 1


def _is_lost(reset: Reset, read: datetime | None) -> bool:
    """Returns whether the last message was lost: the queue was read up to a later moment. Otherwise, it may wait."""
    sent_at = max(filter(None, (reset.recovered_at, reset.finished_at, reset.requested_at)))
    return read is not None and sent_at < read


def _patience(read: datetime | None) -> ColumnElement[timedelta]:
    """Returns how long to wait for an answer before sending again. If the last message was lost, as in `_is_lost`, the
    first wait is enough. Otherwise, it doubles with each message sent."""
    sent_at = func.greatest(Reset.recovered_at, Reset.finished_at, Reset.requested_at)
    doubled = func.least(RAREST, func.power(2, Reset.sent_in_vain))
    times = case((sent_at < literal(read, DateTime(timezone=True)), 1), else_=doubled)
    return func.make_interval(0, 0, 0, 0, 0, 0, settings().recover_after_seconds * times)


def _halted(session: Session, read: Mapping[str, datetime | None]) -> list[Reset]:
    """Returns open resets without a message, resets whose start time has come, and settled ones without a result."""
    since = func.now() - timedelta(seconds=settings().recover_after_seconds)
    open_slice = exists().where(ResetSlice.reset_id == Reset.id, ResetSlice.settled_at.is_(None))
    waiting = open_slice.where(ResetSlice.published_at.is_(None), ~ResetSlice.held)
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
            (Reset.start_at <= func.now()) & ~is_paused() & Reset.id.not_in(queued()) & ~is_writing(Reset.id),
            Reset.cancel_requested_at.is_not(None),
        ),
        (Reset.state == ResetState.RUNNING)
        & or_(
            or_(~open_slice & ~is_asking(Reset.id), waiting & ~in_flight) & ~is_paused(),
            Reset.cancel_requested_at.is_not(None),
        ),
        Reset.state.in_(SETTLED) & Reset.reported_at.is_(None) & (Reset.finished_at < since),
    )
    patience = case((Reset.is_quick, _patience(read[INTERACTIVE])), else_=_patience(read[BULK]))
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


def _with_alerts_left(session: Session, read: datetime | None) -> list[Reset]:
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
                func.coalesce(Reset.recovered_at, Reset.finished_at) < func.now() - _patience(read),
            )
            .limit(MOST_AT_ONCE)
            .with_for_update(key_share=True, skip_locked=True)
        )
    )
