"""The coordinator. Called at any moment and any number of times, it looks at the ledger and does what is next."""

from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from celery import states
from celery.exceptions import Ignore
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from config.settings import settings
from models import audit
from models.access import still_acting
from models.announcements import announce_later
from models.notifications import Notification, NotificationKind
from models.refusals.access import Forbidden
from models.refusals.people import UserUnknown
from models.resets import SETTLED, ItemState, Reset, ResetItem, ResetState
from models.session import in_words, is_connection_lost, is_lock_timeout, transaction
from models.training import Course
from models.webhook_messages import tell, tell_learners
from models.webhooks import WebhookEvent
from tasks.app import app
from tasks.base import Step
from tasks.messages import RESET_COURSE, send_coordinator, send_notify, show_progress
from tasks.outbox.due import send_due_outboxes
from tasks.report import Progress, progress_of, report
from tasks.reset.cancel import CANCELLED, close_open_slices
from tasks.reset.ledger import write_ledger
from tasks.reset.plan import permission_for
from tasks.reset.window import fill_window, send_overdue

log = structlog.get_logger(__name__)


class ResetFailed(Exception):  # noqa: N818 - its name is what Flower shows
    """The reset is settled, and some or all of its learners were not reset."""


class Coordinator(Step):
    """The task class of the coordinator: it remembers that Celery has stored a run's result."""

    abstract = True

    def after_return(self, _status: str, _result: Any, task_id: str, *_: Any) -> None:
        """Celery calls this once the result is stored; until then `recover` keeps calling the coordinator."""
        mark_reported(task_id)


@app.task(
    name=RESET_COURSE,
    bind=True,
    base=Coordinator,
    ignore_result=False,
    throws=(ResetFailed,),  # an outcome, not a fault of the worker: no traceback in the log
)
def reset_course(self: Step, *, reset_id: str) -> dict[str, Any]:
    """Bring the reset forward, and settle it when nothing is open.

    While it is under way the call ends in `Ignore`, which leaves the Celery task open: the one row in Flower that
    carries the whole job. The last call gives the reset's report as the task's result, or fails with `ResetFailed`.
    """
    try:
        outcome = advance(UUID(reset_id), self.request.id)
    except DBAPIError as error:
        log.warning("reset_not_advanced", reset=reset_id, error=in_words(error), remedy="recover calls again")
        # Somebody else who is at it, or a connection that is gone, says nothing about this ledger.
        if not is_lock_timeout(error) and not is_connection_lost(error):
            with suppress(DBAPIError):
                count_failure(UUID(reset_id), in_words(error))
        raise Ignore from error
    if outcome is None:
        raise Ignore
    match ResetState(outcome["state"]):
        case ResetState.SUCCEEDED:
            return outcome
        case ResetState.CANCELLED:
            self.backend.mark_as_revoked(self.request.id, "the reset was cancelled", request=self.request)
            # To Celery's own state of a task REVOKED comes before any state that it does not know, as PROGRESS is one.
            # Said outright, it is shown all the same.
            ended = {"state": states.REVOKED, "result": f"cancelled: {outcome['summary']}"}
            self.send_event("task-revoked", terminated=False, signum=None, expired=False, **ended)
            mark_reported(self.request.id)
            raise Ignore
        case _:
            raise ResetFailed(f"{outcome['summary']}; `recourse show {reset_id}` says why")


def advance(reset_id: UUID, task_id: str) -> dict[str, Any] | None:
    """Do what is next for the reset. Gives its report, in words first, once it is settled, and nothing before."""
    with transaction() as session:
        reset = session.get(Reset, reset_id, with_for_update={"key_share": True})
        if reset is None:
            log.warning("reset_unknown", reset=str(reset_id))
            return None
        if str(reset.task_id) != task_id:  # a late message of an earlier run: its result is stored and stays
            send_coordinator(session, reset)
            return None
        reset.sent_in_vain = 0
        if reset.state == ResetState.REQUESTED:
            _begin(session, reset)
        if reset.state == ResetState.RUNNING:
            _continue(session, reset)
        if reset.state not in SETTLED:
            return None
        figures, progress = report(session, reset), progress_of(session, reset.id)
        del figures["done"], figures["notified"]  # the alerts come after this
        if progress.failed:  # a failure has no result of its own: without this, Flower keeps the last count but one
            show_progress(reset, progress)
        return {"summary": reset.error or progress.outcome, **figures}


def _begin(session: Session, reset: Reset) -> None:
    if reset.cancel_requested_at:
        _settle(session, reset, ResetState.CANCELLED)
        return
    if reset.start_at > _now(session):  # `recover` calls again when its time has come
        return
    if why_not := _refusal(session, reset):
        log.warning("reset_not_allowed", reset=str(reset.id), why=why_not)
        reset.error = f"Not begun: {why_not}"
        _settle(session, reset, ResetState.FAILED)
        return
    write_ledger(session, reset)
    reset.learners = progress_of(session, reset.id).total
    reset.move_to(ResetState.RUNNING)
    session.flush()
    if _tell(session, reset, WebhookEvent.RESET_STARTED):
        send_due_outboxes(session)


def _refusal(session: Session, reset: Reset) -> str | None:
    """Why whoever asked for the reset may not have it any more; it may have been for a moment months ahead."""
    if reset.requested_by is None:
        return None
    try:
        still_acting(session, reset.organization_id, reset.requested_by, permission_for(reset.audience))
    except UserUnknown:
        return "whoever asked for it was deactivated since. Ask for it anew if it is still wanted."
    except Forbidden as refusal:
        return (
            f"whoever asked for it lost the permission “{refusal.permission}” since. Ask for it anew if it is wanted."
        )
    return None


def _continue(session: Session, reset: Reset) -> None:
    if reset.cancel_requested_at:
        close_open_slices(session, reset)
    progress = progress_of(session, reset.id)
    if progress.open_slices:
        send_overdue(session, reset, progress)
        show_progress(reset, progress)
        fill_window(session, reset)
    else:
        _settle(session, reset, _end_state(session, reset, progress))


def _end_state(session: Session, reset: Reset, progress: Progress) -> ResetState:
    """What the ledger amounts to, now that nothing is open."""
    if reset.cancel_requested_at and _cut_short(session, reset):
        return ResetState.CANCELLED
    if not progress.failed:
        return ResetState.SUCCEEDED
    return ResetState.PARTLY_FAILED if progress.cleared + progress.unchanged else ResetState.FAILED


def _cut_short(session: Session, reset: Reset) -> bool:
    """Whether the cancelling kept anyone from being cleared; it may have come too late for that."""
    left_out = select(ResetItem).where(
        ResetItem.reset_id == reset.id, ResetItem.state == ItemState.SKIPPED, ResetItem.reason == CANCELLED
    )
    return session.scalars(select(left_out.exists())).one()


def _settle(session: Session, reset: Reset, state: ResetState) -> None:
    with session.no_autoflush:  # state and moment go together, says the database
        reset.move_to(state)
        reset.finished_at = _now(session)
    session.flush()
    figures = report(session, reset)
    audit.record(
        session,
        f"task:{reset.task_id}",
        f"reset.{state}",
        reset.id,
        reset.organization_id,
        progress=figures["progress"],
        removed=figures["removed"],
        **({"error": reset.error} if reset.error else {}),
    )
    _write_digest(session, reset)
    announce_later(session, reset.organization_id, reset.id)
    _tell(session, reset, WebhookEvent.RESET_COMPLETED if state == ResetState.SUCCEEDED else WebhookEvent.RESET_FAILED)
    tell_learners(session, reset, session.get_one(Course, reset.course_id).code)
    log.info("reset_settled", reset=str(reset.id), state=state.value, **figures["progress"])
    send_notify(session, reset)
    send_due_outboxes(session)
    fill_window(session, reset)  # there may be room for another reset of the organization


def _tell(session: Session, reset: Reset, event: WebhookEvent) -> int:
    """Tell the endpoints that want to know. Thin: who wants figures asks for the reset."""
    code = session.get_one(Course, reset.course_id).code
    data = {"reset": str(reset.id), "course": code, "state": reset.state.value}
    return tell(session, reset.organization_id, event, reset.id, data)


def _write_digest(session: Session, reset: Reset) -> None:
    """Tell whoever asked for it, if that is a user: once a reset, however often its failed ones are tried again."""
    if reset.requested_by is not None:
        digest = insert(Notification).values(
            kind=NotificationKind.RESET_DIGEST,
            reset_id=reset.id,
            user_id=reset.requested_by,
            course_id=reset.course_id,
        )
        session.execute(digest.on_conflict_do_nothing())


def count_failure(reset_id: UUID, error: str) -> None:
    """Count a ledger that could not be written, and fail the reset when that has happened too often."""
    with transaction() as session:
        reset = session.get(Reset, reset_id, with_for_update={"key_share": True})
        if reset is None or reset.state != ResetState.REQUESTED:
            return
        reset.attempts += 1
        if reset.attempts >= settings().slice_attempts:
            reset.error = f"The ledger could not be written: {error}"
            _settle(session, reset, ResetState.FAILED)
            send_coordinator(session, reset)


def mark_reported(task_id: str) -> None:
    """Note that Celery has stored the result of the run with this task id."""
    with transaction() as session:
        session.execute(
            update(Reset)
            .where(Reset.task_id == UUID(task_id), Reset.finished_at.is_not(None), Reset.reported_at.is_(None))
            .values(reported_at=func.now())
        )


def _now(session: Session) -> datetime:
    now: datetime = session.scalars(select(func.clock_timestamp())).one()
    return now
