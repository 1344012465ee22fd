"""Clear the learners of several slices in one transaction.

In a small audience each learner is a slice, with a message of its own. The message that comes first takes along the
learners whose messages are still in the queue: a transaction for each would cost ten times as much. Their own messages
then find nothing to do.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import any_, case, func, literal, select, update
from sqlalchemy.dialects.postgresql import JSONB

from models.arrays import array_of
from models.pauses import is_paused
from models.resets import ItemState, Reset, ResetItem, ResetSlice
from models.session import changed_rows, transaction
from tasks.here import this_worker
from tasks.reset.clear import lock, new_due_date, write_outcomes
from tasks.reset.end_registrations import end_registrations
from tasks.reset.pace import pace


def take_along(reset_id: UUID, number: int) -> list[int]:
    """Count that slices of one learner are begun which nobody has begun yet, though they were sent. Returns their
    numbers; none if participants are asked about each slice, or if each learner's evidence is compared.

    In a transaction of its own, as in `begin_attempt`.
    """
    free = (
        select(ResetSlice.number)
        .join(Reset, Reset.id == ResetSlice.reset_id)
        .where(
            Reset.id == reset_id,
            Reset.participants == [],
            ~Reset.evidence,
            ResetSlice.number != number,
            ResetSlice.learners == 1,
            ResetSlice.settled_at.is_(None),
            ResetSlice.published_at.is_not(None),
            ResetSlice.attempts == 0,
            ~is_paused(),
        )
        .order_by(ResetSlice.number)
        .limit(pace.learners)
        .with_for_update(of=ResetSlice, skip_locked=True)
        .cte("free")
    )
    with transaction(durable=False) as session:
        begun = (
            update(ResetSlice)
            .where(ResetSlice.reset_id == reset_id, ResetSlice.number == any_(array_of(select(free.c.number))))
            .values(
                attempts=ResetSlice.attempts + 1,
                in_vain=ResetSlice.in_vain + 1,
                begun_at=func.clock_timestamp(),
                worker=this_worker(),
            )
            .returning(ResetSlice.number)
            .execution_options(synchronize_session=False)
        )
        return sorted(session.scalars(begun))


def clear_together(reset_id: UUID, numbers: Sequence[int]) -> None:
    """Clear the learners of these slices, which have one each. Leaves out those that are settled, or in another
    worker's hands.

    What was removed is counted in the first slice.
    """
    with pace.measured() as measured, transaction(durable=False) as session:
        held = session.execute(
            select(ResetSlice.number, ResetSlice.first)
            .where(
                ResetSlice.reset_id == reset_id,
                ResetSlice.number.in_(numbers),
                ResetSlice.settled_at.is_(None),
                ResetSlice.counted == 0,
            )
            .order_by(ResetSlice.number)
            .with_for_update(skip_locked=True)
        ).all()
        reset = session.get_one(Reset, reset_id)
        if not held or reset.cancel_requested_at:  # the coordinator closes what is left of a cancelled reset
            return
        learners = sorted(enrolment_id for _, enrolment_id in held)
        measured.learners = len(learners)
        lock(session, learners)
        _, not_touched = write_outcomes(session, reset, learners)
        ended = [one for one in learners if one not in not_touched]
        removed = end_registrations(session, ended, reset=reset, due_at=new_due_date(reset))
        outcome = {
            state.value: case((ResetItem.state == state, 1), else_=0)
            for state in (ItemState.CLEARED, ItemState.UNCHANGED, ItemState.SKIPPED)
        }
        changed_rows(
            session,
            update(ResetSlice)
            .where(
                ResetSlice.reset_id == reset_id,
                ResetSlice.number.in_([number for number, _ in held]),
                ResetItem.reset_id == reset_id,
                ResetItem.enrolment_id == ResetSlice.first,
            )
            .values(
                **outcome,
                removed=case((ResetSlice.number == held[0].number, literal(removed, JSONB)), else_=ResetSlice.removed),
                alerts_due=(ResetItem.state == ItemState.CLEARED) & literal(reset.notify),
                settled_at=func.clock_timestamp(),
            ),
        )
