"""Retry the failed ones of a settled reset, and only those."""

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from models import audit
from models.access import Actor
from models.refusals.resets import DetailsDeleted, NothingToRetry, NotYetOver
from models.resets import TRANSITIONS, ItemState, Reset, ResetItem, ResetSlice, ResetState
from models.session import changed_rows
from models.tallies import count_no_more
from tasks.messages import send_coordinator
from tasks.reset.ledger import add_settled_slice, cut_slices
from tasks.reset.plan import permission_for


def retry_failed(session: Session, actor: Actor, reset: Reset) -> None:
    """Open the failed learners of the reset again and send the job, as a new run with a task id of its own.

    Celery never overwrites a stored result, so the run before keeps its. A learner who is open in another reset by
    now stays failed. Raises `Forbidden`, `NothingToRetry`, `DetailsDeleted`, `NotYetOver`.
    """
    actor.must_have(permission_for(reset.audience))
    session.refresh(reset, with_for_update={"key_share": True})
    if ResetState.RUNNING not in TRANSITIONS[reset.state] or reset.state == ResetState.REQUESTED:
        raise NothingToRetry(reset.state)
    if reset.figures is not None:  # who failed is not known any more, or soon will not be
        raise DetailsDeleted
    if reset.reported_at is None:  # or the run before would never get its result
        raise NotYetOver
    try:
        with session.begin_nested():  # a refusal changes nothing, also for a caller who goes on in the transaction
            if not _reopen(session, reset):
                raise NothingToRetry(reset.state)
    except IntegrityError as error:  # another reset has just opened one of them
        raise NotYetOver from error
    count_no_more(session, reset)
    reset.task_id = session.scalars(select(func.uuidv7())).one()
    reset.move_to(ResetState.RUNNING)
    reset.finished_at = reset.reported_at = reset.cancel_requested_at = reset.error = None
    session.flush()
    audit.record(session, actor, "reset.retried", reset.id, reset.organization_id)
    send_coordinator(session, reset)


def can_retry(reset: Reset) -> bool:
    """Return whether the reset can be retried, provided it has failed learners."""
    ended = reset.state != ResetState.REQUESTED and ResetState.RUNNING in TRANSITIONS[reset.state]
    return ended and reset.reported_at is not None and reset.figures is None


def _reopen(session: Session, reset: Reset) -> int:
    """Make the failed learners pending, in slices of their own. Gives how many."""
    elsewhere = aliased(ResetItem)
    failed = (
        select(ResetItem.enrolment_id)
        .where(
            ResetItem.reset_id == reset.id,
            ResetItem.state == ItemState.FAILED,
            ~select(elsewhere)
            .where(elsewhere.enrolment_id == ResetItem.enrolment_id, elsewhere.state == ItemState.PENDING)
            .exists(),
        )
        .order_by(ResetItem.enrolment_id)  # as in the ledger: nobody waits in a ring
        .with_for_update()
        .cte("failed")
    )
    reopened = changed_rows(
        session,
        update(ResetItem)
        .where(ResetItem.reset_id == reset.id, ResetItem.enrolment_id == failed.c.enrolment_id)
        .values(state=ItemState.PENDING, reason=None),
    )
    still_failed = session.scalars(
        select(func.count()).where(ResetItem.reset_id == reset.id, ResetItem.state == ItemState.FAILED)
    ).one()
    # Every learner is counted in one slice: the failed ones move from the slices they failed in to new ones.
    session.execute(
        update(ResetSlice)
        .where(ResetSlice.reset_id == reset.id, ResetSlice.failed > 0)
        .values(learners=ResetSlice.learners - ResetSlice.failed, failed=0)
    )
    if still_failed:
        add_settled_slice(session, reset, failed=still_failed)
    cut_slices(session, reset)
    return reopened
