"""The ledger: one row a learner, written once, and cut into slices."""

from sqlalchemy import String, case, func, insert, literal, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from models.resets import Audience, ItemState, Reset, ResetItem, ResetSlice
from models.session import changed_rows
from models.training import Enrolment
from tasks.reset.audience import ELSEWHERE, NOT_ASSIGNED, in_audience
from tasks.reset.window import slice_size


def write_ledger(session: Session, reset: Reset) -> None:
    """Write an item for each learner of the audience, and slices for those that are pending.

    A learner who is open in another reset is skipped: the unique index on open items decides, whoever comes first. A
    named user who was unassigned since the preview is left out, but not left unsaid.
    """
    wanted = in_audience(reset)
    if reset.audience == Audience.USERS:
        wanted = (Enrolment.course_id == reset.course_id) & Enrolment.user_id.in_(reset.user_ids or [])
    # In id order, as everything that locks learners here, so that two resets never wait for each other in a ring.
    audience = (
        select(Enrolment.id, in_audience(reset).label("still_in_it"))
        .where(wanted)
        .order_by(Enrolment.id)
        .cte("audience")
    )
    pending = (
        postgresql.insert(ResetItem)
        .from_select(
            [ResetItem.reset_id, ResetItem.enrolment_id],
            select(literal(reset.id), audience.c.id).where(audience.c.still_in_it),
        )
        # Spelled out: with a parameter there, PostgreSQL finds the index only while it plans each use anew, and a
        # connection that has written some ledgers is given one plan for all values.
        .on_conflict_do_nothing(index_elements=[ResetItem.enrolment_id], index_where=text("state = 'pending'"))
        .returning(ResetItem.enrolment_id)
        .cte("pending")
    )
    # One statement, so that both halves see the same audience and nothing is looked up in a table just filled, of
    # whose size the planner knows nothing yet.
    # Of a course that was just imported it knows nothing either, and would compare each learner with each other.
    session.execute(text("SET LOCAL enable_nestloop TO off"))
    skipped = changed_rows(
        session,
        insert(ResetItem).from_select(
            [ResetItem.reset_id, ResetItem.enrolment_id, ResetItem.state, ResetItem.reason],
            select(
                literal(reset.id),
                audience.c.id,
                literal(ItemState.SKIPPED.value, String),
                case((audience.c.still_in_it, ELSEWHERE), else_=NOT_ASSIGNED),
            ).where(~select(pending).where(pending.c.enrolment_id == audience.c.id).exists()),
        ),
    )
    session.execute(text("SET LOCAL enable_nestloop TO on"))
    if skipped:
        add_settled_slice(session, reset, skipped=skipped)
    cut_slices(session, reset)


def add_settled_slice(session: Session, reset: Reset, *, skipped: int = 0, failed: int = 0) -> None:
    """Count learners whose outcome is known without a slice ever being sent for them."""
    session.execute(
        insert(ResetSlice).values(
            reset_id=reset.id,
            number=_next_number(session, reset),
            first=0,
            last=0,
            position=0,
            learners=skipped + failed,
            skipped=skipped,
            failed=failed,
            settled_at=func.now(),
        )
    )


def cut_slices(session: Session, reset: Reset) -> None:
    """Cut the pending items into slices of enrolments in id order, numbered on from those there are."""
    pending = (ResetItem.reset_id == reset.id) & (ResetItem.state == ItemState.PENDING)
    learners = session.scalars(select(func.count()).where(pending)).one()
    size = slice_size(learners)
    place = func.row_number().over(order_by=ResetItem.enrolment_id)
    items = select(ResetItem.enrolment_id, place.label("place")).where(pending).subquery()
    number = (items.c.place - 1) // size  # whole numbers: PostgreSQL rounds down
    session.execute(
        insert(ResetSlice).from_select(
            [
                ResetSlice.reset_id,
                ResetSlice.number,
                ResetSlice.first,
                ResetSlice.last,
                ResetSlice.learners,
                ResetSlice.position,
            ],
            select(
                literal(reset.id),
                number + _next_number(session, reset),
                func.min(items.c.enrolment_id),
                func.max(items.c.enrolment_id),
                func.count(),
                func.min(items.c.place),
            ).group_by(number),
        )
    )


def _next_number(session: Session, reset: Reset) -> int:
    last = session.scalar(select(func.max(ResetSlice.number)).where(ResetSlice.reset_id == reset.id))
    return (last or 0) + 1
