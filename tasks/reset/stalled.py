"""A reset that does not go on, since no worker does its work."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from config.celery import BULK, INTERACTIVE
from models.resets import SETTLED, Reset, ResetState
from models.signs import signs
from tasks.report import Progress
from tasks.reset.lookup import ResetLine
from tasks.troubles import Kind, Trouble, are_ticks_late, beat_patience, is_beat_late


def stalled(session: Session, line: ResetLine, progress: Progress) -> Trouble | None:
    """Returns why the reset does not go on if no worker, or no beat, does what it waits for; else `None`.

    One that moves, is paused, queued or planned, or waits for participants or evidence has no such reason.
    """
    reset = line.reset
    if reset.state in SETTLED or line.paused or line.place:
        return None
    waiting = _waiting(reset, progress)
    if waiting is None:
        return None
    queue, since = waiting
    if datetime.now(UTC) - since < timedelta(seconds=beat_patience()):
        return None
    seen = signs(session, reset.organization_id, {})
    if is_beat_late(seen):
        return Trouble(Kind.BEAT, since=seen.beat_at)
    if queue in seen.without_worker:
        return Trouble(Kind.QUEUE, queue, seen.without_worker[queue])
    # Then nobody looks whether a worker reads the other queues; but this work was not begun.
    if seen.ticks_at is None or are_ticks_late(seen):
        return Trouble(Kind.TICKS, INTERACTIVE, seen.ticks_at or since)
    return None


def _waiting(reset: Reset, progress: Progress) -> tuple[str, datetime] | None:
    """Returns the queue that the reset's work waits in, and since when nothing of it moved; `None` if none waits."""
    from tasks.messages import queue_of_coordinator  # loads Celery, which commands that only read do without
    from tasks.reset.window import is_small

    if reset.state == ResetState.REQUESTED:
        return queue_of_coordinator(reset), max(reset.requested_at, reset.start_at)
    if progress.sent_at is None:
        return None
    since = max(progress.sent_at, progress.moved_at or progress.sent_at)
    return INTERACTIVE if is_small(reset) else BULK, since
