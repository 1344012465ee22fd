"""Put what participants answer into the ledger."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    String,
    case,
    cast,
    column,
    func,
    literal,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from config.languages.stored import stored
from models.participants import OPEN_THERE, AskState, Participant, ParticipantItem, ParticipantRequest, ThereState
from models.resets import ItemState, Reset, ResetItem, ResetSlice, ResetState
from models.session import after_commit, changed_rows, transaction
from tasks.messages import send_coordinator, show_progress
from tasks.participants.protocol import End, Outcome
from tasks.report import progress_of

ASK_AFTER = timedelta(hours=1)  # about learners who were promised for later, if no report has come
NOT_MENTIONED = stored("its answer does not mention this learner")
NOT_ASKED = stored("not asked before the reset was cancelled")
PERHAPS = stored("the reset was cancelled before it answered; it may have cleared this learner")
STATES = {
    End.DONE: ThereState.DONE,
    End.NOTHING: ThereState.DONE,
    End.FAILED: ThereState.FAILED,
    End.LATER: ThereState.LATER,
    End.RETRY: ThereState.WAITING,
}


def settle(session: Session, request: ParticipantRequest, outcomes: Sequence[Outcome], *, whole: bool) -> None:
    """Write the outcomes of a request's learners; the caller has locked the request, and it waits.

    With `whole`, learners without an outcome have failed. An outcome for a learner who has one already changes nothing.
    """
    numbers = hold_slices(session, [request])
    _write(session, request, outcomes, numbers[0])
    if whole:
        fail_open(session, [request.id], NOT_MENTIONED, besides=[outcome.enrolment for outcome in outcomes])
    of_it = (ParticipantItem.request_id == request.id) & ParticipantItem.state.in_(OPEN_THERE)
    if not session.scalars(select(select(ParticipantItem).where(of_it).exists())).one():
        request.state = AskState.ANSWERED
    elif again := next((outcome.why for outcome in outcomes if outcome.end == End.RETRY), None):
        request.outcome = again
    elif whole:
        request.next_try_at = session.scalars(select(func.now() + ASK_AFTER)).one()
    session.flush()
    end_learners(session, request.reset_id, numbers)


def give_up(session: Session, request: ParticipantRequest, why: str) -> None:
    """Fail the learners of a request for good; the caller has locked the request, and it waits."""
    numbers = hold_slices(session, [request])
    request.state, request.outcome = AskState.GIVEN_UP, why
    session.flush()
    fail_open(session, [request.id], why)
    end_learners(session, request.reset_id, numbers)


def not_answered(session: Session, request: ParticipantRequest, why: str, *, unsure: bool) -> None:
    """Note that the request got no answer; it is sent again at its time."""
    request.outcome = why
    if unsure:
        waiting = (ParticipantItem.request_id == request.id) & (ParticipantItem.state == ThereState.WAITING)
        changed_rows(session, update(ParticipantItem).where(waiting).values(state=ThereState.UNKNOWN))


def withdraw(session: Session, reset: Reset) -> None:
    """Ask no participant any more about the learners of a cancelled reset. Those it has not heard of have failed."""
    if not reset.participants:
        return
    requests = session.scalars(
        select(ParticipantRequest)
        .where(ParticipantRequest.reset_id == reset.id, ParticipantRequest.state == AskState.WAITING)
        .order_by(ParticipantRequest.id)
        .with_for_update()
    ).all()
    numbers = hold_slices(session, requests)
    for request in requests:
        request.state = AskState.WITHDRAWN
    session.flush()
    fail_open(session, [request.id for request in requests if request.attempts], PERHAPS)
    fail_open(session, [request.id for request in requests if not request.attempts], NOT_ASKED)
    end_learners(session, reset.id, numbers)


def hold_slices(session: Session, requests: Sequence[ParticipantRequest]) -> list[int]:
    """Lock the slices of the requests to the end of the transaction, and return their numbers: the answers of several
    participants are counted one after the other."""
    items = (ParticipantItem.reset_id == ResetSlice.reset_id) & (ParticipantItem.slice_number == ResetSlice.number)
    asked = ParticipantItem.request_id.in_([request.id for request in requests])
    mine = ResetSlice.reset_id.in_({request.reset_id for request in requests})
    numbers = select(ResetSlice.number).where(mine, select(ParticipantItem).where(items, asked).exists())
    return list(session.scalars(numbers.order_by(ResetSlice.number).with_for_update()))


def fail_open(session: Session, request_ids: Sequence[UUID], why: str, *, besides: Sequence[int] = ()) -> None:
    """Fail the learners of these requests who have no end yet, but for those with the enrolments `besides`."""
    of_it = ParticipantItem.request_id.in_(request_ids) & ParticipantItem.state.in_(OPEN_THERE)
    of_it &= ParticipantItem.enrolment_id.not_in(besides)
    changed_rows(session, update(ParticipantItem).where(of_it).values(state=ThereState.FAILED, reason=why))


def _write(session: Session, request: ParticipantRequest, outcomes: Sequence[Outcome], number: int) -> None:
    if not outcomes:
        return
    said = (
        func.unnest(
            cast([outcome.enrolment for outcome in outcomes], ARRAY(BigInteger)),
            cast([STATES[outcome.end].value for outcome in outcomes], ARRAY(String)),
            cast([outcome.why or None for outcome in outcomes], ARRAY(String)),
            cast([{kind: n for kind, n in outcome.removed.items() if n} for outcome in outcomes], ARRAY(JSONB)),
        )
        .table_valued(
            column("enrolment", BigInteger), column("state", String), column("why", String), column("removed", JSONB)
        )
        .render_derived(name="said")
    )
    failed = said.c.state == ThereState.FAILED.value
    written = (
        update(ParticipantItem)
        .where(
            ParticipantItem.request_id == request.id,
            ParticipantItem.enrolment_id == said.c.enrolment,
            ParticipantItem.state.in_(OPEN_THERE),
        )
        .values(state=said.c.state, reason=case((failed, said.c.why)), removed=said.c.removed)
        .returning(ParticipantItem.removed)
        .cte("written")
    )
    pair = func.jsonb_each_text(written.c.removed).table_valued("key", "value").render_derived(name="pair")
    removed = session.execute(
        select(pair.c.key, func.sum(pair.c.value.cast(BigInteger)))
        .select_from(written.join(pair, true()))
        .group_by(pair.c.key)
    ).all()
    if removed:
        _count_removed(session, request, {kind: int(count) for kind, count in removed}, number)


def _count_removed(session: Session, request: ParticipantRequest, removed: dict[str, int], number: int) -> None:
    """Add what a participant removed to a slice that the caller holds: `scorm: attempts`."""
    code = session.get_one(Participant, request.participant_id).code
    mine = (ResetSlice.reset_id == request.reset_id) & (ResetSlice.number == number)
    before = session.scalars(select(ResetSlice.removed).where(mine)).one()
    named = {f"{code}: {kind}": count for kind, count in removed.items()}
    after = before | {name: before.get(name, 0) + count for name, count in named.items()}
    changed_rows(session, update(ResetSlice).where(mine).values(removed=after))


def end_learners(session: Session, reset_id: UUID, numbers: Sequence[int]) -> None:
    """End the waiting learners of these slices, which the caller holds, whose participants all have an end.

    One who failed anywhere has failed; one who had something anywhere is cleared.
    """
    item = ParticipantItem
    failed = item.state == ThereState.FAILED
    reason = Participant.code + ": " + func.coalesce(item.reason, "")
    through = (
        select(
            item.enrolment_id,
            item.slice_number,
            func.string_agg(reason, literal("; ", String)).filter(failed).label("reason"),
            func.bool_or(or_(item.here == ItemState.CLEARED, item.removed != literal({}, JSONB))).label("had"),
        )
        .join(Participant, Participant.id == item.participant_id)
        .where(item.reset_id == reset_id, item.slice_number.in_(numbers))
        .group_by(item.enrolment_id, item.slice_number)
        .having(~func.bool_or(item.state.in_(OPEN_THERE)))
        .cte("through")
    )
    end = case(
        (through.c.reason.is_not(None), ItemState.FAILED.value),
        (through.c.had, ItemState.CLEARED.value),
        else_=ItemState.UNCHANGED.value,
    )
    ended = (
        update(ResetItem)
        .where(
            ResetItem.reset_id == reset_id,
            ResetItem.enrolment_id == through.c.enrolment_id,
            ResetItem.state == ItemState.WAITING,
        )
        .values(state=end, reason=through.c.reason)
        .returning(through.c.slice_number, ResetItem.state)
        .cte("ended")
    )
    of_one = (ended.c.slice_number, ended.c.state)
    counts: dict[int, dict[ItemState, int]] = {}
    for number, state, learners in session.execute(select(*of_one, func.count()).group_by(*of_one)):
        counts.setdefault(number, {})[ItemState(state)] = learners
    for number, outcomes in counts.items():
        _count(session, reset_id, number, outcomes)
    if counts:
        after_commit(session, lambda: _go_on(reset_id))


def _count(session: Session, reset_id: UUID, number: int, counts: dict[ItemState, int]) -> None:
    alerts = select(Reset.notify).where(Reset.id == reset_id).scalar_subquery()
    changed_rows(
        session,
        update(ResetSlice)
        .where(ResetSlice.reset_id == reset_id, ResetSlice.number == number)
        .values(
            {getattr(ResetSlice, state.value): getattr(ResetSlice, state.value) + n for state, n in counts.items()}
            | {
                ResetSlice.waiting: ResetSlice.waiting - sum(counts.values()),
                ResetSlice.alerts_due: or_(ResetSlice.alerts_due, alerts & literal(ItemState.CLEARED in counts)),
            }
        ),
    )


def _go_on(reset_id: UUID) -> None:
    """Show the progress, and call the coordinator if nothing is open. In a transaction of its own: of two slices that
    end at once, the later one sees both."""
    with transaction() as session:
        reset = session.scalar(select(Reset).where(Reset.id == reset_id).with_for_update(read=True))
        if reset is None or reset.state != ResetState.RUNNING:
            return
        progress = progress_of(session, reset.id)
        if reset.cancel_requested_at or not progress.is_open:
            send_coordinator(session, reset)
        else:
            show_progress(reset, progress)


def reopen_failed_there(session: Session, reset: Reset) -> int:
    """Open the learners of a settled reset who failed at a participant: it is asked again, about them alone.

    Returns how many there are. The caller holds the reset.
    """
    item = ParticipantItem
    failed = (item.reset_id == reset.id) & (item.state == ThereState.FAILED)
    again = (
        update(ResetItem)
        .where(
            ResetItem.reset_id == reset.id,
            ResetItem.state == ItemState.FAILED,
            ResetItem.enrolment_id.in_(select(item.enrolment_id).where(failed)),
        )
        .values(state=ItemState.WAITING, reason=null())
        .returning(ResetItem.enrolment_id)
        .cte("again")
    )
    asked = select(item.enrolment_id, item.slice_number).where(failed).distinct().subquery("asked")
    rows = session.execute(
        select(asked.c.slice_number, func.count())
        .join(again, again.c.enrolment_id == asked.c.enrolment_id)
        .group_by(asked.c.slice_number)
    ).all()
    for number, learners in rows:
        moved = {"failed": ResetSlice.failed - learners, "waiting": ResetSlice.waiting + learners}
        mine = (ResetSlice.reset_id == reset.id) & (ResetSlice.number == number)
        changed_rows(session, update(ResetSlice).where(mine).values(**moved))
    afresh = {"state": ThereState.WAITING, "reason": null(), "request_id": null()}
    changed_rows(session, update(item).where(failed).values(**afresh))
    return sum(learners for _, learners in rows)
