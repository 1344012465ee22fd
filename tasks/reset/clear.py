"""Clear or fail learners of one slice, each call in one transaction: all of it or nothing."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    ColumnElement,
    Select,
    String,
    Uuid,
    any_,
    bindparam,
    case,
    column,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from config.languages.stored import stored
from models.base import PgSnapshot
from models.evidence_holds import changed_since_written, set_aside, why_not_written
from models.participant_asks import let_wait, write_requests
from models.records import LearnerRecord, record_kinds
from models.resets import ItemState, Reset, ResetItem, ResetSlice
from models.session import changed_rows, transaction
from models.training import NOT_ASSIGNED, Enrolment, EnrolmentState
from tasks.messages import WORK_OUTBOXES, send_outbox
from tasks.reset.audience import RESET_SINCE
from tasks.reset.end_registrations import end_registrations
from tasks.reset.pace import pace
from tasks.reset.window import is_small

NO_EVIDENCE = stored("not reset, because the evidence could not be stored: {why}")

# Not the names of columns: SQLAlchemy would set those in every table that a statement writes.
_ENROLMENTS = bindparam("these_enrolments", type_=ARRAY(BigInteger()))
_RESET_ID = bindparam("this_reset", type_=Uuid())
_AS_OF = bindparam("asked_as_of", type_=PgSnapshot())


def clear(reset_id: UUID, number: int, enrolment_id: int | None = None) -> bool:
    """Clear some of the slice's open learners, or the one of them. Returns whether others are still open.

    Their own writes wait meanwhile, so it takes as many as the pace allows.
    """
    # Undone by a crash, it leaves the slice open, to be cleared again. Whatever is sent is written by a later
    # commit, which is durable.
    with pace.measured() as measured, transaction(durable=False) as session:
        held = hold(session, reset_id, number)
        if held is None or held.Reset.cancel_requested_at:  # the coordinator closes what is left of a cancelled reset
            return False
        piece, reset = held.ResetSlice, held.Reset
        waiting = open_members(session, piece)
        learners = waiting[: pace.learners] if enrolment_id is None else [one for one in waiting if one == enrolment_id]
        if learners and reset.evidence and (why := why_not_written(session, piece)) is not None:
            _write_failed(session, held, waiting, NO_EVIDENCE.format(why=why), settled=True)
            return False
        if learners:
            measured.learners = len(learners)
            lock(session, learners)
            if reset.evidence and (changed := changed_since_written(session, piece, learners)):
                set_aside(session, piece, changed)
                send_outbox(session, WORK_OUTBOXES)
                waiting = [one for one in waiting if one not in changed]
                learners = [one for one in learners if one not in changed]
        if not learners:
            if not waiting:  # settled one by one, or set aside
                _count(session, held, {}, {}, settled=True, alerts=False)
            return bool(waiting) and enrolment_id is None
        outcome, not_touched = write_outcomes(session, reset, learners)
        ended = [one for one in learners if one not in not_touched] if not_touched else learners
        removed = end_registrations(session, ended, reset=reset, number=number, due_at=new_due_date(reset))
        if reset.participants and ended:
            let_wait(session, reset_id, ended)
            outcome = {ItemState.WAITING: len(ended), ItemState.SKIPPED: len(not_touched)}
        open_ones = len(waiting) - len(learners)
        _count(session, held, outcome, removed, settled=not open_ones, alerts=reset.notify)
        return bool(open_ones) and enrolment_id is None


def fail(reset_id: UUID, number: int, reason: str, enrolment_id: int | None = None) -> None:
    """Settle the slice's open learners, or the one of them, as failed."""
    with transaction() as session:
        held = hold(session, reset_id, number)
        if held is None:
            return
        waiting = open_members(session, held.ResetSlice)
        learners = waiting if enrolment_id is None else [one for one in waiting if one == enrolment_id]
        _write_failed(session, held, learners, reason, settled=len(learners) == len(waiting))


def _write_failed(session: Session, held: Any, learners: Sequence[int], reason: str, *, settled: bool) -> None:
    failed = {"reset_id": held.Reset.id, "state": ItemState.FAILED, "reason": reason}
    if learners:
        session.execute(insert(ResetItem), [failed | {"enrolment_id": one} for one in learners])
    _count(session, held, {ItemState.FAILED: len(learners)}, {}, settled=settled, alerts=False)


def hold(session: Session, reset_id: UUID, number: int) -> Any:
    """Lock the slice to the end of the transaction.

    Returns a row with `ResetSlice` and `Reset`, `None` if the slice is settled or someone else has it.
    """
    return session.execute(
        select(ResetSlice, Reset)
        .join(Reset, Reset.id == ResetSlice.reset_id)
        .where(ResetSlice.reset_id == reset_id, ResetSlice.number == number, ResetSlice.settled_at.is_(None))
        .with_for_update(of=ResetSlice, skip_locked=True)
    ).one_or_none()


def open_members(session: Session, piece: ResetSlice) -> list[int]:
    """Returns the enrolments of the slice that are not settled yet, in order."""
    if not piece.counted:
        return piece.members
    items = select(ResetItem.enrolment_id).where(
        ResetItem.reset_id == piece.reset_id, ResetItem.enrolment_id == any_(literal(piece.members, ARRAY(BigInteger)))
    )
    settled = set(session.scalars(items))
    return [member for member in piece.members if member not in settled]


def lock(session: Session, learners: Sequence[int]) -> None:
    """Lock the learners, whose own writes now wait. In id order, as everywhere, so that no two ever deadlock."""
    session.execute(_LOCK, {"these_enrolments": learners})


_LOCK: Select[int] = select(func.count()).select_from(
    select(Enrolment.id).where(Enrolment.id == any_(_ENROLMENTS)).order_by(Enrolment.id).with_for_update().subquery()
)


def write_outcomes(session: Session, reset: Reset, learners: Sequence[int]) -> tuple[dict[ItemState, int], set[int]]:
    """Write the locked learners into the ledger. Returns how many there are of each outcome, and who was skipped."""
    statement = _outcomes_written(tuple(record_kinds()))
    values = {"these_enrolments": learners, "this_reset": reset.id, "asked_as_of": reset.as_of}
    rows = session.execute(statement, values).all()
    skipped: list[int] = next((who for state, _, who in rows if state == ItemState.SKIPPED), [])
    return {state: count for state, count, _ in rows}, set(skipped)


@lru_cache(maxsize=4)
def _outcomes_written(kinds: tuple[type[LearnerRecord], ...]) -> Select[Any]:
    learner = func.unnest(_ENROLMENTS).table_valued(column("id", BigInteger)).render_derived(name="learner")
    gone = Enrolment.id.is_(None) | Enrolment.unassigned_at.is_not(None)
    since = ~func.pg_visible_in_snapshot(Enrolment.registered_xid, _AS_OF)
    # Of those who have begun, no record has to be looked for.
    something: ColumnElement[bool] = or_(
        Enrolment.state != EnrolmentState.ASSIGNED,
        *(select(kind).where(kind.registration == Enrolment.registration).exists() for kind in kinds),
    )
    found = (
        select(
            learner.c.id,
            gone.label("gone"),
            since.label("since"),
            case((gone | since, None), else_=something).label("had"),
        )
        .select_from(learner.outerjoin(Enrolment, Enrolment.id == learner.c.id))
        .subquery("found")
    )
    state = case(
        (found.c.gone | found.c.since, ItemState.SKIPPED.value),
        (found.c.had, ItemState.CLEARED.value),
        else_=ItemState.UNCHANGED.value,
    )
    reason = case((found.c.gone, NOT_ASSIGNED), (found.c.since, RESET_SINCE))
    written: CTE = (
        insert(ResetItem)
        .from_select(
            [ResetItem.reset_id, ResetItem.enrolment_id, ResetItem.state, ResetItem.reason],
            select(_RESET_ID, found.c.id, state.cast(String), reason.cast(String)),
        )
        .returning(ResetItem.enrolment_id, ResetItem.state)
        .cte("written")
    )
    skipped: Any = func.array_agg(written.c.enrolment_id).filter(written.c.state == ItemState.SKIPPED)
    return select(written.c.state, func.count(), skipped).group_by(written.c.state)


def new_due_date(reset: Reset) -> datetime | None:
    return reset.start_at + timedelta(days=reset.due_in_days) if reset.due_in_days else None


def _count(
    session: Session,
    held: Any,
    outcome: dict[ItemState, int],
    removed: dict[str, int],
    *,
    settled: bool,
    alerts: bool,
) -> None:
    """Add the outcomes to the counts of the slice in hand, and settle it once none of its members is open."""
    piece: ResetSlice = held.ResetSlice
    counts = {state.value: getattr(piece, state.value) + count for state, count in outcome.items()}
    changed_rows(
        session,
        update(ResetSlice)
        .where(ResetSlice.reset_id == piece.reset_id, ResetSlice.number == piece.number)
        .values(
            **counts,
            removed=dict(Counter(piece.removed) + Counter(removed)),
            alerts_due=piece.alerts_due or (alerts and ItemState.CLEARED in outcome),
            begun_at=func.clock_timestamp(),
            in_vain=0,
            settled_at=func.clock_timestamp() if settled else None,
        ),
    )
    if settled and held.Reset.participants and not is_small(held.Reset):
        write_requests(session, held.Reset, piece.number)
