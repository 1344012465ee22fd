"""Cancel: stop what is not cleared yet."""

from sqlalchemy import func, literal, select, text, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlalchemy.types import String, Uuid

from config.languages.stored import stored
from models import audit
from models.access import Actor
from models.participant_asks import write_requests
from models.refusals.resets import AlreadySettled
from models.resets import SETTLED, ItemState, Reset, ResetItem, ResetSlice
from models.session import changed_rows
from tasks.messages import send_coordinator
from tasks.reset.plan import permission_for

CANCELLED = stored("the reset was cancelled")


def cancel(session: Session, actor: Actor, reset: Reset) -> None:
    """Ask for the reset to stop. Who is cleared stays cleared and is alerted; nobody further is touched.

    It lives in the database and not in a worker's memory, so it holds through any restart. Cancelling twice is the
    same as once. Raises `Forbidden`, `AlreadySettled`.
    """
    actor.must_have(permission_for(reset.audience))
    # Just after a big mistake the slices of a million learners may still be being written: wait for it.
    session.execute(text("SET LOCAL lock_timeout TO '60s'"))
    session.refresh(reset, with_for_update={"key_share": True})
    if reset.state in SETTLED:
        raise AlreadySettled(reset.state)
    if reset.cancel_requested_at is None:
        reset.cancel_requested_at = session.scalars(select(func.now())).one()
        audit.record(session, actor, "reset.cancelled", reset.id, reset.organization_id)
    send_coordinator(session, reset)


def close_open_slices(session: Session, reset: Reset) -> None:
    """Skip every learner who is still open, but for those whom a worker has in hand at this moment."""
    closed = (
        select(ResetSlice.number, ResetSlice.members)
        .where(ResetSlice.reset_id == reset.id, ResetSlice.settled_at.is_(None))
        .with_for_update(skip_locked=True)
        .cte("closed")
    )
    member = func.unnest(closed.c.members).table_valued("enrolment_id").render_derived(name="member")
    left_out = (
        insert(ResetItem)
        .from_select(
            [ResetItem.reset_id, ResetItem.enrolment_id, ResetItem.state, ResetItem.reason],
            select(
                literal(reset.id, Uuid()),
                member.c.enrolment_id,
                literal(ItemState.SKIPPED.value, String),
                literal(CANCELLED, String),
            ).select_from(closed.join(member, true())),
        )
        .on_conflict_do_nothing()  # those of a slice who are settled already
        .cte("left_out")
    )
    changed_rows(
        session,
        update(ResetSlice)
        .where(ResetSlice.reset_id == reset.id, ResetSlice.number == closed.c.number)
        .values(skipped=ResetSlice.skipped + ResetSlice.learners - ResetSlice.counted, settled_at=func.now())
        .add_cte(left_out),
    )
    if reset.participants:
        write_requests(session, reset)
