"""Retry the failed ones of a settled reset, and only those."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import audit
from models.access import Actor
from models.course_days import count_days_before_reset
from models.refusals.resets import DetailsDeleted, NothingToRetry, NotYetOver
from models.resets import TRANSITIONS, Reset, ResetState
from models.tallies import count_no_more
from tasks.messages import send_coordinator
from tasks.reset.plan import permission_for
from tasks.reset.slices import reopen_failed


def retry_failed(session: Session, actor: Actor, reset: Reset) -> None:
    """Open the failed learners of the reset again and send the job, as a new run with a task id of its own.

    Celery never overwrites a stored result, so the run before keeps its. A learner whom another reset has reset
    meanwhile is skipped. Raises `Forbidden`, `NothingToRetry`, `DetailsDeleted`, `NotYetOver`.
    """
    actor.must_have(permission_for(reset.audience))
    session.refresh(reset, with_for_update={"key_share": True})
    if ResetState.RUNNING not in TRANSITIONS[reset.state] or reset.state == ResetState.REQUESTED:
        raise NothingToRetry(reset.state)
    if reset.figures is not None:  # who failed is not known any more, or soon will not be
        raise DetailsDeleted
    if reset.reported_at is None:  # or the run before would never get its result
        raise NotYetOver
    count_days_before_reset(session, [reset.course_id])
    if not reopen_failed(session, reset):
        raise NothingToRetry(reset.state)
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
