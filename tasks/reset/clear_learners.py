"""Clear one slice of learners: delete their records, set their enrolments back, write their alerts."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import ColumnElement, Row, any_, case, delete, distinct, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.types import BigInteger, Uuid

from config.settings import settings
from models.certificates import supersede
from models.files.files import queue_deletions
from models.journal import note_ended
from models.notifications import Notification
from models.people import User
from models.preferences import wants_alert
from models.records import in_order_of_deletion
from models.resets import ItemState, Reset, ResetItem, ResetSlice
from models.session import in_words, is_connection_lost, transaction
from models.training import Enrolment, EnrolmentState
from models.webhook_messages import note_learners
from tasks.app import app
from tasks.messages import CLEAR_LEARNERS
from tasks.reset.audience import NOT_ASSIGNED
from tasks.reset.window import keep_going

ABANDONED = "given up: the worker was lost each time this was tried"
TRIES = 3  # deadlocks and lock time-outs pass; what does not pass by then is some learner's
WHOLE_ATTEMPTS = 2  # a slice that was begun so often and never ended goes on one by one

log = structlog.get_logger(__name__)
T = TypeVar("T")


@app.task(name=CLEAR_LEARNERS)
def clear_learners(*, reset_id: str, number: int) -> None:
    """Clear the learners of one slice, however often and whenever the message comes.

    What fails for good is tried again learner by learner, so that a bad one costs only themself. What fails with the
    connection is left open in the ledger: `recover` sends it again.
    """
    reset, attempt = UUID(reset_id), begin_attempt(UUID(reset_id), number)
    if attempt > settings().slice_attempts:
        _abandon(reset, number)
    elif attempt > WHOLE_ATTEMPTS:
        _clear_one_by_one(reset, number)
    elif attempt:
        try:
            _clear_patiently(reset, number)
        except Exception as error:
            if _is_no_learners(error):
                raise
            log.warning("slice_failed", reset=reset_id, slice=number, error=in_words(error), remedy="one by one")
            _clear_one_by_one(reset, number)
    keep_going(reset)


def begin_attempt(reset_id: UUID, number: int) -> int:
    """Count that the slice is begun, and say for which time; 0 if it is settled or in another worker's hands.

    In a transaction of its own, since it is to be remembered when the worker dies of what comes next.
    """
    with transaction() as session:
        session.execute(text("SET LOCAL synchronous_commit TO off"))  # a count that a crash may lose
        piece = _hold(session, reset_id, number)
        if piece is None:
            return 0
        piece.attempts += 1
        return piece.attempts


def _clear_patiently(reset_id: UUID, number: int, enrolment_id: int | None = None) -> None:
    for tried in range(1, TRIES + 1):
        try:
            return clear(reset_id, number, enrolment_id)
        except OperationalError as error:
            if tried == TRIES or is_connection_lost(error):
                raise
            time.sleep(0.2 * tried)
    return None


def _clear_one_by_one(reset_id: UUID, number: int) -> None:
    with transaction() as session:
        piece = _hold(session, reset_id, number)
        pending = [] if piece is None else session.scalars(select(ResetItem.enrolment_id).where(_pending(piece))).all()
    for enrolment_id in sorted(pending):
        try:
            _clear_patiently(reset_id, number, enrolment_id)
        except Exception as error:
            if _is_no_learners(error):
                raise
            log.warning("learner_failed", reset=str(reset_id), enrolment=enrolment_id, error=in_words(error))
            _fail(reset_id, number, in_words(error), enrolment_id)


def _is_no_learners(error: Exception) -> bool:
    """Whether it says nothing about any learner: the connection or the time ran out."""
    return isinstance(error, SoftTimeLimitExceeded) or is_connection_lost(error)


def _abandon(reset_id: UUID, number: int) -> None:
    log.error("slice_abandoned", reset=str(reset_id), slice=number)
    _fail(reset_id, number, ABANDONED)


def _fail(reset_id: UUID, number: int, reason: str, enrolment_id: int | None = None) -> None:
    """Settle the slice's pending learners, or the one, as failed."""
    with transaction() as session:
        piece = _hold(session, reset_id, number)
        if piece is not None:
            failed = session.scalars(select(ResetItem.enrolment_id).where(_pending(piece, enrolment_id))).all()
            _settle(session, piece, {ItemState.FAILED: failed}, {}, reason)


def clear(reset_id: UUID, number: int, enrolment_id: int | None = None) -> None:
    """Clear the slice's pending learners, or the one of them, in one transaction: all of it or nothing."""
    with transaction() as session:
        piece = _hold(session, reset_id, number)
        reset = session.get_one(Reset, reset_id)
        if piece is None or reset.cancel_requested_at:  # the coordinator closes what is left of a cancelled reset
            return
        learners = _lock_learners(session, piece, enrolment_id)
        assigned = [learner for learner in learners if learner.unassigned_at is None]
        registrations = [learner.registration for learner in assigned]
        queue_deletions(session, reset.id, registrations)
        supersede(session, registrations)
        note_ended(session, registrations)
        removed, touched = delete_records(session, registrations)
        start_afresh(session, [learner.id for learner in assigned], _new_due_date(reset))

        had_something = {
            learner.id: learner.registration in touched or learner.state != EnrolmentState.ASSIGNED
            for learner in assigned
        }
        outcome = {
            ItemState.CLEARED: [enrolment for enrolment, had in had_something.items() if had],
            ItemState.UNCHANGED: [enrolment for enrolment, had in had_something.items() if not had],
            ItemState.SKIPPED: [learner.id for learner in learners if learner.unassigned_at is not None],
        }
        cleared = [learner.user_id for learner in assigned if had_something[learner.id]]
        old = {learner.id: learner.registration for learner in assigned}
        for state in (ItemState.CLEARED, ItemState.UNCHANGED):
            note_learners(session, reset, state, outcome[state], [old[enrolment] for enrolment in outcome[state]])
        if reset.notify:
            _write_alerts(session, reset, cleared)
        _settle(session, piece, outcome, removed, NOT_ASSIGNED)


def _hold(session: Session, reset_id: UUID, number: int) -> ResetSlice | None:
    """The slice, locked to the end of the transaction; none if it is settled or someone else has it."""
    return session.scalar(
        select(ResetSlice)
        .where(ResetSlice.reset_id == reset_id, ResetSlice.number == number, ResetSlice.settled_at.is_(None))
        .with_for_update(skip_locked=True)
    )


def _pending(piece: ResetSlice, enrolment_id: int | None = None) -> ColumnElement[bool]:
    learners = (
        ResetItem.enrolment_id.between(piece.first, piece.last)
        if enrolment_id is None
        else ResetItem.enrolment_id == enrolment_id
    )
    return (ResetItem.reset_id == piece.reset_id) & learners & (ResetItem.state == ItemState.PENDING)


def _lock_learners(session: Session, piece: ResetSlice, enrolment_id: int | None) -> Sequence[Row[*tuple[Any, ...]]]:
    """The pending learners, whose own writes now wait. In id order, as everywhere, so that nobody waits in a ring."""
    return session.execute(
        select(Enrolment.id, Enrolment.user_id, Enrolment.registration, Enrolment.state, Enrolment.unassigned_at)
        .join(ResetItem, ResetItem.enrolment_id == Enrolment.id)
        .where(_pending(piece, enrolment_id))
        .order_by(Enrolment.id)
        .with_for_update(of=Enrolment)
    ).all()


def delete_records(session: Session, registrations: list[UUID]) -> tuple[dict[str, int], set[UUID]]:
    """Delete the rows of every record kind. Gives the rows by kind, and the registrations that had any."""
    removed: dict[str, int] = {}
    touched: set[UUID] = set()
    for kind in in_order_of_deletion():
        gone = (
            delete(kind)
            .where(_among(kind.registration, registrations, Uuid()))
            .returning(kind.registration)
            .cte("gone")
        )
        rows, of = session.execute(select(func.count(), func.array_agg(distinct(gone.c.registration)))).one()
        if rows:
            removed[kind.kind()] = rows
            touched.update(of)
    return removed, touched


def start_afresh(session: Session, enrolments: list[int], due_at: datetime | None) -> None:
    """Back to 0 %, under a new registration. A due date that has passed belonged to the past run, and goes with it."""
    session.execute(
        update(Enrolment)
        .where(_among(Enrolment.id, enrolments, BigInteger()))
        .values(
            state=EnrolmentState.ASSIGNED,
            progress=0,
            completed_at=None,
            registration=func.uuidv7(),
            due_at=due_at or case((Enrolment.due_at > func.now(), Enrolment.due_at)),
        )
        .execution_options(synchronize_session=False)
    )


def _new_due_date(reset: Reset) -> datetime | None:
    return reset.start_at + timedelta(days=reset.due_in_days) if reset.due_in_days else None


def _write_alerts(session: Session, reset: Reset, users: list[int]) -> None:
    wanted = select(literal(reset.id), User.id, literal(reset.course_id)).where(
        _among(User.id, users, BigInteger()), wants_alert(literal(reset.course_id))
    )
    columns = [Notification.reset_id, Notification.user_id, Notification.course_id]
    session.execute(insert(Notification).from_select(columns, wanted).on_conflict_do_nothing())


def _settle(
    session: Session,
    piece: ResetSlice,
    outcome: Mapping[ItemState, Sequence[int]],
    removed: dict[str, int],
    reason: str,
) -> None:
    """Write the learners' outcome into the ledger and the slice, which is settled once none of its own is pending.

    `reason` is that of the skipped or failed ones.
    """
    for state, enrolments in outcome.items():
        if enrolments:
            session.execute(
                update(ResetItem)
                .where(
                    ResetItem.reset_id == piece.reset_id,
                    _among(ResetItem.enrolment_id, enrolments, BigInteger()),
                )
                .values(state=state, reason=reason if state in (ItemState.SKIPPED, ItemState.FAILED) else None)
                .execution_options(synchronize_session=False)
            )
            setattr(piece, state.value, getattr(piece, state.value) + len(enrolments))
    piece.removed = dict(Counter(piece.removed) + Counter(removed))
    if not session.scalars(select(select(ResetItem).where(_pending(piece)).exists())).one():
        piece.settled_at = session.scalars(select(func.clock_timestamp())).one()


def _among(column: InstrumentedAttribute[T], values: Sequence[T], of: Any) -> ColumnElement[bool]:
    """That the column is one of the values. As one array: the statement's text is the same for 1 and for 1,000."""
    return column == any_(literal(list(values), ARRAY(of)))
