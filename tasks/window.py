"""The window: which slices of a reset are in the queue.

Only so many at a time, so that a large reset neither floods the broker nor stands before everyone else's.
"""

from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from config.settings import settings
from models.resets import Reset, ResetSlice, ResetState
from models.session import transaction
from tasks.messages import SliceToSend, send_coordinator, send_slices, show_progress
from tasks.report import Progress, progress_of

LEARNERS_ONE_BY_ONE = 200  # up to so many, each learner is a subtask of its own
FEWEST_IN_A_SLICE = 25
MOST_IN_A_SLICE = 1000  # a learner's own write waits for the slice's transaction: some 0.2 s at this size
SLICES_AIMED_AT = 40
RAREST = 32  # work that is lost again and again is sent again ever more rarely, up to so many times the first wait


def slice_size(learners: int) -> int:
    """Learners a slice: 1 for an audience that a person can watch one by one, growing with the audience beyond."""
    if learners <= LEARNERS_ONE_BY_ONE:
        return 1
    return min(MOST_IN_A_SLICE, max(FEWEST_IN_A_SLICE, -(-learners // SLICES_AIMED_AT)))


def keep_going(reset_id: UUID) -> None:
    """After a slice: send what the window has room for, tell Flower, and call the coordinator if nothing is open.

    Looks at the ledger in a transaction of its own, after the slice's commit: of two slices that end at once, the
    later one sees both.
    """
    with transaction() as session:
        # Held until the event is sent: the coordinator settles the reset only after that, so no progress can come
        # after the end and overwrite the result that Flower shows.
        reset = session.scalar(select(Reset).where(Reset.id == reset_id).with_for_update(read=True))
        if reset is None or reset.state != ResetState.RUNNING:
            return
        progress = progress_of(session, reset.id)
        if reset.cancel_requested_at or not progress.open_slices:
            send_coordinator(session, reset)
            return
        fill_window(session, reset, progress)
        show_progress(reset, progress)


def fill_window(session: Session, reset: Reset, progress: Progress) -> None:
    """Send the next slices, as many as the window has room for."""
    room = settings().slices_in_flight - progress.slices_in_flight
    if room > 0:
        _send(session, reset, progress, ResetSlice.published_at.is_(None), room)


def send_overdue(session: Session, reset: Reset, progress: Progress) -> None:
    """Send again what was sent long ago, is not settled, and is in nobody's hands."""
    wait = settings().recover_after_seconds * func.least(RAREST, func.power(2, ResetSlice.publications - 1))
    overdue = ResetSlice.published_at < func.now() - func.make_interval(0, 0, 0, 0, 0, 0, wait)
    _send(session, reset, progress, overdue, settings().slices_in_flight)


def _send(session: Session, reset: Reset, progress: Progress, which: ColumnElement[bool], most: int) -> None:
    # Skipping locked rows passes over a slice that a worker has in hand, and one that another sender is taking.
    taken = (
        select(ResetSlice.number)
        .where(ResetSlice.reset_id == reset.id, ResetSlice.settled_at.is_(None), which)
        .order_by(ResetSlice.number)
        .limit(most)
        .with_for_update(skip_locked=True)
        .cte("taken")
    )
    sent = session.execute(
        update(ResetSlice)
        .where(ResetSlice.reset_id == reset.id, ResetSlice.number == taken.c.number)
        .values(published_at=func.now(), publications=ResetSlice.publications + 1)
        .returning(ResetSlice.number, ResetSlice.position, ResetSlice.learners)
    )
    slices = sorted((SliceToSend(*row) for row in sent), key=lambda one: one.number)
    send_slices(session, reset, slices, interactive=progress.total <= LEARNERS_ONE_BY_ONE)
