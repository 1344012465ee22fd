"""A reset that does not go on, since no worker does its work."""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from config.celery import BULK, INTERACTIVE
from models.resets import SETTLED, Reset, ResetSlice, ResetState
from models.signs import signs
from tasks.reset.lookup import ResetLine
from tasks.troubles import Kind, Trouble, are_ticks_late, beat_patience, is_beat_late


def stalled(session: Session, line: ResetLine) -> Trouble | None:
    """Returns why the reset does not go on if no worker, or no beat, does what it waits for; else `None`.

    One that moves, is paused, queued or planned, or waits for participants or evidence has no such reason.
    """
    reset = line.reset
    if reset.state in SETTLED or line.paused or line.place:
        return None
    waiting = _waiting(session, reset)
    if waiting is None:
        return None
    seen = signs(session, reset.organization_id, {})
    queue, since = waiting
    if seen.now - since < timedelta(seconds=beat_patience()):
        return None
    if is_beat_late(seen):
        return Trouble(Kind.BEAT, since=seen.beat_at)
    if queue in seen.without_worker:
        return Trouble(Kind.QUEUE, queue, seen.without_worker[queue])
    # Then nobody looks whether a worker reads the other queues; but this work was not begun.
    if seen.ticks_at is None or are_ticks_late(seen):
        return Trouble(Kind.TICKS, INTERACTIVE, seen.ticks_at or since)
    return None


def _waiting(session: Session, reset: Reset) -> tuple[str, datetime] | None:
    """Returns the queue that the reset's work waits in, and since when nothing of it moved; `None` if none waits."""
    from tasks.messages import queue_of_coordinator  # loads Celery, which commands that only read do without
    from tasks.reset.window import is_small

    if reset.state == ResetState.REQUESTED:
        return queue_of_coordinator(reset), max(reset.requested_at, reset.start_at)
    moved = func.max(func.greatest(ResetSlice.begun_at, ResetSlice.settled_at))
    sent_at = func.min(ResetSlice.published_at).filter(ResetSlice.settled_at.is_(None))
    since, sent = session.execute(
        select(func.greatest(moved, sent_at), sent_at).where(ResetSlice.reset_id == reset.id)
    ).one()
    return None if sent is None else (INTERACTIVE if is_small(reset) else BULK, since)
