"""The messages that go through the broker: their queues, and what Flower shows of them.

Task ids are derived from the reset's, so that a message that is sent twice is one row in Flower.

Celery is loaded with the first message: it takes as long as half of a command that only reads.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from config.celery import BULK, INTERACTIVE, NOTIFY
from config.links import reset_link
from config.log import logger
from config.settings import settings
from models.resets import Reset
from models.session import after_commit
from models.training import Course
from tasks.report import Progress
from tasks.tracing import within

log = logger(__name__)

RESET_COURSE = "recourse.reset_course"
CLEAR_LEARNERS = "recourse.clear_learners"
NOTIFY_LEARNERS = "recourse.notify"
WORK_OUTBOXES = "recourse.work_outboxes"
PROBE = "recourse.probe"

QUIET_SECONDS = 10.0
SHARED_FROM = 2000  # learners


class _Quiet:
    """Pauses progress events after the broker was away."""

    until = 0.0  # on the monotonic clock


@dataclass(frozen=True)
class SliceToSend:
    """What a slice's message needs, and its line in Flower."""

    number: int
    position: int
    learners: int

    @property
    def range(self) -> str:
        """The positions of its learners in the run: `1-500`, or `7` for a slice of one."""
        last = self.position + self.learners - 1
        return f"{self.position}" if last == self.position else f"{self.position}-{last}"


def send_coordinator(session: Session, reset: Reset) -> None:
    """Send the coordinator `reset_course` once the session's transaction is committed."""
    reset_id, task_id = str(reset.id), str(reset.task_id)
    course_code = session.get_one(Course, reset.course_id).code
    queue = queue_of_coordinator(reset)
    _send(
        session,
        reset,
        lambda: _send_task(
            RESET_COURSE,
            kwargs={"reset_id": reset_id},
            argsrepr=reset_link(reset_id),  # there are no arguments, so that Flower can show the link
            kwargsrepr=str({"course": course_code, "reset": reset_id}),
            task_id=task_id,
            root_id=task_id,
            # Slices, its own children, also send it. Celery would make the slice its parent, which is a loop.
            headers={"parent_id": None},
            add_to_parent=False,
            ignore_result=False,
            queue=queue,
        ),
    )


def queue_of_coordinator(reset: Reset) -> str:
    """Returns the queue for the coordinator's messages."""
    return INTERACTIVE if reset.is_quick else BULK


def send_slices(session: Session, reset: Reset, slices: list[SliceToSend], *, interactive: bool) -> None:
    """Send the slices once the session's transaction is committed."""
    reset_id, task_id = str(reset.id), str(reset.task_id)

    def send() -> None:
        for one in slices:
            _send_task(
                CLEAR_LEARNERS,
                kwargs={"reset_id": reset_id, "number": one.number},
                kwargsrepr=str({"learners": one.range, "reset": reset_id}),
                task_id=f"{task_id}.{one.number}",
                root_id=task_id,
                parent_id=task_id,
                add_to_parent=False,
                ignore_result=True,
                queue=INTERACTIVE if interactive else BULK,
            )

    if slices:
        _send(session, reset, send)


def _send_task(name: str, **message: Any) -> None:
    from tasks.app import app

    app.send_task(name, **message)


def _send(session: Session, reset: Reset, publish: Callable[[], object]) -> None:
    """Publish after the commit, within the trace of the reset's request."""
    traceparent = reset.traceparent

    def in_its_trace() -> None:
        with within(traceparent):
            publish()

    after_commit(session, in_its_trace)


def show_progress(reset: Reset, progress: Progress, *, paused: bool = False) -> None:
    """Show the progress on the reset's row in Flower. Does nothing while the broker is away."""
    if time.monotonic() < _Quiet.until:
        return
    from celery import current_task

    from tasks.app import app
    from tasks.broker import broker_down

    try:
        # With another name, Flower would list a worker that does not exist.
        hostname = current_task.request.hostname if current_task else None
        with app.events.default_dispatcher(hostname) as dispatcher:
            # Flower shows only the fields it knows; `result` can hold text.
            dispatcher.send(
                "task-progress", uuid=str(reset.task_id), result=f"{progress}{' · paused' if paused else ''}"
            )
    except broker_down() as error:
        # Each attempt takes seconds, and the reset's row is locked meanwhile.
        _Quiet.until = time.monotonic() + QUIET_SECONDS
        log.info("progress_not_shown", reset=str(reset.id), error=str(error))


def send_notify(session: Session, reset: Reset, *, expires: float | None = None, once: bool = False) -> None:
    """Send `notify` for the reset once the session's transaction is committed; twice for a large one, since two
    processes share its learners, unless `once`. The messages expire after `expires` seconds."""
    reset_id, task_id = str(reset.id), str(reset.task_id)
    names = ["notify", "notify-2"] if (reset.learners or 0) >= SHARED_FROM and not once else ["notify"]

    def send() -> None:
        for name in names:
            _send_task(
                NOTIFY_LEARNERS,
                kwargs={"reset_id": reset_id},
                kwargsrepr=str({"reset": reset_id}),
                task_id=f"{task_id}.{name}",
                root_id=task_id,
                parent_id=task_id,
                add_to_parent=False,
                ignore_result=True,
                queue=NOTIFY,
                expires=expires,
            )

    _send(session, reset, send)


def send_probe(session: Session, queue: str, sent_at: datetime) -> None:
    """Send the probe of the queue once the session's transaction is committed."""
    known = {"queue": queue, "sent_at": sent_at.isoformat()}
    after_commit(session, lambda: _send_task(PROBE, kwargs=known, ignore_result=True, queue=queue))


def send_outbox(session: Session, task: str) -> None:
    """Send a task that works off outboxes, or alerts without a reset, once the session's transaction is committed.

    The message carries nothing, since the database knows what is due. A repeated, late or lost one does no harm.
    """
    expires = max(1.0, settings().recover_every_seconds)  # the next `recover` sends another
    after_commit(session, lambda: _send_task(task, ignore_result=True, queue=NOTIFY, expires=expires))
