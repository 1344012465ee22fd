"""The coordinator. Called at any time and any number of times, it looks at the slices and does what is next."""

from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from celery import states
from celery.exceptions import Ignore
from sqlalchemy import Text, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from config.languages.stored import stored
from config.log import logger
from config.settings import settings
from models import audit
from models.access import still_acting
from models.announcements import announce_later
from models.course_days import count_days_before_reset
from models.evidence import PartKind, PartState
from models.evidence_holds import add_part, asked_at_start, part_about, withdraw_parts
from models.notifications import Notification, NotificationKind
from models.participant_asks import write_requests
from models.pauses import Pause, is_paused
from models.refusals.access import Forbidden
from models.refusals.people import UserUnknown
from models.reset_queue import must_queue, next_in_queue
from models.resets import SETTLED, ItemState, Reset, ResetItem, ResetState
from models.session import in_words, is_lock_timeout, is_servers_trouble, transaction
from models.training import Course
from models.webhook_messages import tell, tell_learners
from models.webhooks import WebhookEvent
from tasks.app import app
from tasks.base import Step
from tasks.messages import RESET_COURSE, WORK_OUTBOXES, send_coordinator, send_notify, send_outbox, show_progress
from tasks.outbox.due import send_due_outboxes
from tasks.participants.settle import withdraw
from tasks.report import PACE, Progress, progress_of, report, report_of
from tasks.reset.audience import trust_what_is_seen
from tasks.reset.cancel import CANCELLED, close_open_slices
from tasks.reset.plan import permission_for
from tasks.reset.slices import write_slices
from tasks.reset.window import fill_window, is_small

NOT_STARTED = stored("Not started: {why}")
DEACTIVATED = stored("the requester was deactivated since. Request it again if it is still needed.")
PERMISSION_LOST = stored(
    "the requester lost the permission “{permission}” since. Request it again if it is still needed."
)
NO_EVIDENCE = stored(
    "Not started, because its evidence could not be stored: {why}. "
    "Check the organization's store under Evidence, then request the reset again."
)
NO_SLICES = stored("The slices could not be written: {error}")

log = logger(__name__)


class ResetFailed(Exception):  # noqa: N818 - its name is what Flower shows
    """The reset is settled, but some or all of its learners were not reset."""


class Coordinator(Step):
    """The task class of the coordinator: records that Celery has stored a run's result."""

    abstract = True

    def after_return(self, _status: str, _result: Any, task_id: str, *_: Any) -> None:
        """Called by Celery once the result is stored; until then, `recover` keeps calling the coordinator."""
        mark_reported(task_id)


@app.task(
    name=RESET_COURSE,
    bind=True,
    base=Coordinator,
    ignore_result=False,
    throws=(ResetFailed,),  # an outcome, not a worker failure: no traceback in the log
)
def reset_course(self: Step, *, reset_id: str) -> dict[str, Any]:
    """Advance the reset, and settle it when nothing is open.

    While it is under way the call ends in `Ignore`, which leaves the Celery task open: the one row in Flower that
    carries the whole job. The last call gives the reset's report as the task's result, or fails with `ResetFailed`.
    """
    try:
        outcome = advance(UUID(reset_id), self.request.id)
    except DBAPIError as error:
        log.warning("reset_not_advanced", reset=reset_id, error=in_words(error), remedy="recover calls again")
        # A lock that another process holds, a lost connection or a full disk is not a failure of this reset.
        if not is_lock_timeout(error) and not is_servers_trouble(error):
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
            # Celery ranks REVOKED below states that it does not know, such as PROGRESS. Set explicitly, it is shown.
            ended = {"state": states.REVOKED, "result": f"cancelled: {outcome['summary']}"}
            self.send_event("task-revoked", terminated=False, signum=None, expired=False, **ended)
            mark_reported(self.request.id)
            raise Ignore
        case _:
            raise ResetFailed(f"{outcome['summary']}; `recourse show {reset_id}` says why")


def advance(reset_id: UUID, task_id: str) -> dict[str, Any] | None:
    """Do what is next for the reset. Returns its report once it is settled, `None` before."""
    with transaction() as session:
        which = select(Reset, is_paused()).where(Reset.id == reset_id)
        found = session.execute(which.with_for_update(key_share=True, of=Reset)).one_or_none()
        reset, paused = found or (None, False)
        if reset is None:
            log.warning("reset_unknown", reset=str(reset_id))
            return None
        if str(reset.task_id) != task_id:  # a late message of an earlier run, whose result is stored
            send_coordinator(session, reset)
            return None
        reset.sent_in_vain = 0
        paused = paused and reset.cancel_requested_at is None
        if reset.state == ResetState.REQUESTED and not paused:
            _begin(session, reset)
        if reset.state == ResetState.RUNNING:
            _continue(session, reset, paused=paused)
        if reset.state not in SETTLED:
            return None
        progress = progress_of(session, reset.id)
        figures = report_of(session, reset, progress, None, None)
        for later in ("done", "notified", "paused", "place", *PACE):  # alerts come later, and the rest has passed
            del figures[later]
        if progress.failed:  # a failure has no result: without this, Flower keeps an older count
            show_progress(reset, progress)
        return {"summary": reset.error or progress.outcome, **figures}


def _begin(session: Session, reset: Reset) -> None:
    if reset.cancel_requested_at:
        withdraw_parts(session, reset)
        _settle(session, reset, ResetState.CANCELLED)
        return
    if reset.start_at > _now(session):  # `recover` calls again at its start
        return
    if must_queue(session, reset):  # the end of another one of the organization calls again
        return
    if why_not := _refusal(session, reset):
        log.warning("reset_not_allowed", reset=str(reset.id), why=why_not)
        reset.error = NOT_STARTED.format(why=why_not)
        _settle(session, reset, ResetState.FAILED)
        return
    participants, reset.evidence = asked_at_start(session, reset)
    if reset.evidence and not _has_begun_its_evidence(session, reset):
        return
    if reset.start_at > reset.requested_at:  # of what came between, the request says nothing
        trust_what_is_seen(session, reset.course_id, reset.user_ids, reset.group_id, reset.list_id)
        reset.as_of = session.scalars(select(func.pg_current_snapshot().cast(Text))).one()
    reset.participants = participants
    count_days_before_reset(session, [reset.course_id])
    write_slices(session, reset)
    reset.learners = progress_of(session, reset.id).total
    reset.move_to(ResetState.RUNNING)
    session.flush()
    if _tell(session, reset, WebhookEvent.RESET_STARTED):
        send_due_outboxes(session)


def _has_begun_its_evidence(session: Session, reset: Reset) -> bool:
    """Returns whether the store has taken the first part, which says who asks for what and why; until then nobody is
    reset. Fails the reset if the store does not take it."""
    part = part_about(session, reset, PartKind.REQUEST)
    if part.state == PartState.WRITTEN:
        return True
    if part.state == PartState.WAITING:
        send_outbox(session, WORK_OUTBOXES)
    else:
        log.warning("reset_without_evidence", reset=str(reset.id), why=part.outcome)
        reset.error = NO_EVIDENCE.format(why=part.outcome)
        _settle(session, reset, ResetState.FAILED)
    return False


def _refusal(session: Session, reset: Reset) -> str | None:
    """Returns why the requester may no longer reset; the start may be months after the request."""
    if reset.requested_by is None:
        return None
    try:
        still_acting(session, reset.organization_id, reset.requested_by, permission_for(reset.audience))
    except UserUnknown:
        return DEACTIVATED
    except Forbidden as refusal:
        return PERMISSION_LOST.format(permission=refusal.permission)
    return None


def _continue(session: Session, reset: Reset, *, paused: bool) -> None:
    """Do what is next for a running reset. While it is paused, only learners who are cleared here go on elsewhere."""
    if reset.cancel_requested_at:
        if reset.evidence:  # parts before slices, as when a part is settled
            withdraw_parts(session, reset)
        close_open_slices(session, reset)
        withdraw(session, reset)
    progress = progress_of(session, reset.id)
    if progress.goes_on_elsewhere(paused=paused):
        if is_small(reset):
            write_requests(session, reset)
        send_outbox(session, WORK_OUTBOXES)
    if paused:
        show_progress(reset, progress, paused=True)
    elif progress.is_open:
        show_progress(reset, progress)
        fill_window(session, reset)
    else:
        _settle(session, reset, _end_state(session, reset, progress))


def _end_state(session: Session, reset: Reset, progress: Progress) -> ResetState:
    """Returns the final state, now that nothing is open."""
    if reset.cancel_requested_at and _cut_short(session, reset):
        return ResetState.CANCELLED
    if not progress.failed:
        return ResetState.SUCCEEDED
    return ResetState.PARTLY_FAILED if progress.cleared + progress.unchanged else ResetState.FAILED


def _cut_short(session: Session, reset: Reset) -> bool:
    """Returns whether cancelling left learners out; it may have come too late for that."""
    left_out = select(ResetItem).where(
        ResetItem.reset_id == reset.id, ResetItem.state == ItemState.SKIPPED, ResetItem.reason == CANCELLED
    )
    return session.scalars(select(left_out.exists())).one()


def _settle(session: Session, reset: Reset, state: ResetState) -> None:
    with session.no_autoflush:  # a constraint ties the state to the time
        reset.move_to(state)
        reset.finished_at = _now(session)
    session.flush()
    session.execute(delete(Pause).where(Pause.reset_id == reset.id))
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
    if reset.evidence and reset.learners is not None:
        add_part(session, reset, PartKind.SUMMARY)
    _write_digest(session, reset)
    announce_later(session, reset.organization_id, reset.id)
    _tell(session, reset, WebhookEvent.RESET_COMPLETED if state == ResetState.SUCCEEDED else WebhookEvent.RESET_FAILED)
    tell_learners(session, reset, session.get_one(Course, reset.course_id))
    log.info("reset_settled", reset=str(reset.id), state=state.value, **figures["progress"])
    send_notify(session, reset)
    send_due_outboxes(session)
    fill_window(session, reset)  # there may now be room for the organization's other resets
    if waiting := next_in_queue(session, reset.organization_id):
        send_coordinator(session, waiting)


def _tell(session: Session, reset: Reset, event: WebhookEvent) -> int:
    """Notify the webhooks that subscribe. The message is thin: receivers read the figures from the API."""
    course = session.get_one(Course, reset.course_id)
    named = {"course": course.code, "course_external_id": course.external_id}
    data = {"reset": str(reset.id), **named, "state": reset.state.value}
    return tell(session, reset.organization_id, event, reset.id, data)


def _write_digest(session: Session, reset: Reset) -> None:
    """Notify the requester, if that is a user: once per reset, however often failed learners are retried."""
    if reset.requested_by is not None:
        digest = insert(Notification).values(
            kind=NotificationKind.RESET_DIGEST,
            reset_id=reset.id,
            user_id=reset.requested_by,
            course_id=reset.course_id,
        )
        session.execute(digest.on_conflict_do_nothing())


def count_failure(reset_id: UUID, error: str) -> None:
    """Count that the slices could not be written, and fail the reset when that has happened too often."""
    with transaction() as session:
        reset = session.get(Reset, reset_id, with_for_update={"key_share": True})
        if reset is None or reset.state != ResetState.REQUESTED:
            return
        reset.attempts += 1
        if reset.attempts >= settings().slice_attempts:
            reset.error = NO_SLICES.format(error=error)
            _settle(session, reset, ResetState.FAILED)
            send_coordinator(session, reset)


def mark_reported(task_id: str) -> None:
    """Record that Celery has stored the result of the run with this task id."""
    with transaction() as session:
        session.execute(
            update(Reset)
            .where(Reset.task_id == UUID(task_id), Reset.finished_at.is_not(None), Reset.reported_at.is_(None))
            .values(reported_at=func.now())
        )


def _now(session: Session) -> datetime:
    now: datetime = session.scalars(select(func.clock_timestamp())).one()
    return now
