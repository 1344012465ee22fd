"""Cutting a reset's learners into slices: all of its audience when it begins, and the failed ones for a retry."""

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    String,
    Uuid,
    case,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from models.evidence import MOST_IN_A_PART
from models.evidence_holds import write_parts
from models.exemptions import exempt_at
from models.participant_asks import write_requests
from models.resets import Audience, ItemState, Reset, ResetItem, ResetSlice
from models.session import changed_rows
from models.training import NOT_ASSIGNED, Enrolment
from tasks.messages import WORK_OUTBOXES, send_outbox
from tasks.participants.settle import reopen_failed_there
from tasks.reset.audience import in_audience, listed
from tasks.reset.exclusions import EXEMPT, leaves_anyone_out, left_out, to_be_reset, why_left_out
from tasks.reset.window import slice_size


def write_slices(session: Session, reset: Reset) -> None:
    """Write the slices of the reset's audience. Locks nobody.

    Learners who are left out are skipped, and so are named learners who were unassigned since the preview; the ledger
    says why. Each statement sees what is committed when it begins, so the later ones go by what the earlier ones did.
    """
    cut_slices(session, reset, select(Enrolment.id).where(to_be_reset(reset)))
    in_slices = select(func.unnest(ResetSlice.members)).where(ResetSlice.reset_id == reset.id)
    others = Enrolment.id.not_in(in_slices)
    if leaves_anyone_out(session, reset):
        _skip(session, reset, left_out(reset) & others, why_left_out(reset))
    if reset.audience in (Audience.USERS, Audience.LIST):
        by_id = (Enrolment.course_id == reset.course_id) & Enrolment.user_id.in_(reset.user_ids or [])
        named = by_id if reset.list_id is None else listed(reset.list_id)
        skipped = select(ResetItem.enrolment_id).where(ResetItem.reset_id == reset.id)
        why = case((in_audience(reset), EXEMPT), else_=NOT_ASSIGNED)  # exempt when the slices were cut
        _skip(session, reset, named & others & Enrolment.id.not_in(skipped), why)


def _skip(session: Session, reset: Reset, who: ColumnElement[bool], why: ColumnElement[str]) -> None:
    columns = [ResetItem.reset_id, ResetItem.enrolment_id, ResetItem.state, ResetItem.reason]
    outcome = select(literal(reset.id, Uuid()), Enrolment.id, literal(ItemState.SKIPPED.value, String), why).where(who)
    skipped = changed_rows(session, insert(ResetItem).from_select(columns, outcome))
    if skipped:  # counted in a slice that is never sent
        session.execute(
            insert(ResetSlice).values(
                reset_id=reset.id,
                number=_next_number(session, reset),
                first=0,
                last=0,
                position=0,
                learners=skipped,
                skipped=skipped,
                settled_at=func.now(),
            )
        )


def cut_slices(session: Session, reset: Reset, learners: Select[int]) -> int:
    """Cut the learners, selected by enrolment id, into slices in that order. Returns how many learners there are.

    The slices are numbered on from those that the reset has.
    """
    count = session.scalars(select(func.count()).select_from(learners.subquery())).one()
    size = min(slice_size(count), MOST_IN_A_PART) if reset.evidence else slice_size(count)
    (enrolment,) = learners.selected_columns
    placed = learners.with_only_columns(
        enrolment.label("id"), func.row_number().over(order_by=enrolment).label("place")
    ).subquery()
    number = (placed.c.place - 1) // literal(size, BigInteger)  # whole numbers: PostgreSQL rounds down
    session.execute(
        insert(ResetSlice).from_select(
            [
                ResetSlice.reset_id,
                ResetSlice.number,
                ResetSlice.first,
                ResetSlice.last,
                ResetSlice.learners,
                ResetSlice.position,
                ResetSlice.members,
                ResetSlice.held,
            ],
            select(
                literal(reset.id, Uuid()),
                number + _next_number(session, reset),
                func.min(placed.c.id),
                func.max(placed.c.id),
                func.count(),
                func.min(placed.c.place),
                func.array_agg(aggregate_order_by(placed.c.id, placed.c.place)),
                literal(reset.evidence),
            ).group_by(number),
        )
    )
    if reset.evidence:
        write_parts(session, reset, together=size == 1)
        send_outbox(session, WORK_OUTBOXES)
    return count


def reopen_failed(session: Session, reset: Reset) -> int:
    """Open the failed learners of the reset again: in slices of their own, or at the participants that failed them. Who
    is exempt by now is skipped.

    Returns how many there are.
    """
    there = reopen_failed_there(session, reset) if reset.participants else 0
    if there:
        write_requests(session, reset)
    failed = (ResetItem.reset_id == reset.id) & (ResetItem.state == ItemState.FAILED)
    is_spared = select(Enrolment.id).join(ResetItem, ResetItem.enrolment_id == Enrolment.id).where(failed)
    spared = list(session.scalars(is_spared.where(exempt_at(func.now()))))
    others = select(ResetItem.enrolment_id).where(failed, ResetItem.enrolment_id.not_in(spared))
    reopened = cut_slices(session, reset, others)
    changed_rows(session, delete(ResetItem).where(failed))
    if spared:
        _skip(session, reset, Enrolment.id.in_(spared), literal(EXEMPT, String))
    # Every learner is counted in one slice: the failed ones move from the slices they failed in to the new ones.
    changed_rows(
        session,
        update(ResetSlice)
        .where(ResetSlice.reset_id == reset.id, ResetSlice.failed > 0)
        .values(learners=ResetSlice.learners - ResetSlice.failed, failed=0),
    )
    return there + reopened + len(spared)


def _next_number(session: Session, reset: Reset) -> int:
    last = session.scalar(select(func.max(ResetSlice.number)).where(ResetSlice.reset_id == reset.id))
    return (last or 0) + 1
