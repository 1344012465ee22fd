"""How far a reset is, for whoever asks: the command line, the API, Celery's result."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, true
from sqlalchemy.orm import Session

from models.notifications import Notification, NotificationKind, NotificationState
from models.records import record_kinds
from models.resets import SETTLED, Reset, ResetSlice


@dataclass(frozen=True)
class Progress:
    """The ledger in figures."""

    total: int
    cleared: int
    unchanged: int
    skipped: int
    failed: int
    open_slices: int
    slices_in_flight: int

    @property
    def settled(self) -> int:
        """Learners whose outcome is known."""
        return self.cleared + self.unchanged + self.skipped + self.failed

    @property
    def outcome(self) -> str:
        """What came of it, in words."""
        if not self.total:
            return "nobody was to be reset"
        if self.failed:
            return f"{self.failed:,} of {self.total:,} learners were not reset"
        return f"{self.cleared:,} of {self.total:,} learners reset, {self.unchanged:,} had nothing to reset"

    def __str__(self) -> str:
        """In words, as Flower shows it."""
        words = f"{self.settled:,} of {self.total:,} learners"
        return words + (f" · {self.failed:,} failed" if self.failed else "")


def progress_of(session: Session, reset_id: UUID) -> Progress:
    """The sum over the reset's slices: a few hundred rows, however large the course is."""
    return progress_of_each(session, [reset_id])[reset_id]


def progress_of_each(session: Session, reset_ids: Sequence[UUID]) -> dict[UUID, Progress]:
    """The same of several resets at once."""
    open_slice = ResetSlice.settled_at.is_(None)
    learners = (
        func.sum(column)
        for column in (
            ResetSlice.learners,
            ResetSlice.cleared,
            ResetSlice.unchanged,
            ResetSlice.skipped,
            ResetSlice.failed,
        )
    )
    rows = session.execute(
        select(
            ResetSlice.reset_id,
            *learners,
            func.count().filter(open_slice),
            func.count().filter(open_slice, ResetSlice.published_at.is_not(None)),
        )
        .where(ResetSlice.reset_id.in_(reset_ids))
        .group_by(ResetSlice.reset_id)
    )
    found = {reset_id: Progress(*(int(figure) for figure in figures)) for reset_id, *figures in rows}
    return {reset_id: found.get(reset_id, Progress(0, 0, 0, 0, 0, 0, 0)) for reset_id in reset_ids}


def removed_by(session: Session, reset_id: UUID) -> dict[str, int]:
    """Rows that the reset removed, by record kind."""
    counts = func.jsonb_each_text(ResetSlice.removed).table_valued("key", "value")
    rows = session.execute(
        select(counts.c.key, func.sum(counts.c.value.cast(ResetSlice.learners.type)))
        .select_from(ResetSlice)
        .join(counts, true())
        .where(ResetSlice.reset_id == reset_id)
        .group_by(counts.c.key)
    )
    found = {kind: int(count) for kind, count in rows}
    return {kind.kind(): found.get(kind.kind(), 0) for kind in record_kinds()}


def report(session: Session, reset: Reset) -> dict[str, Any]:
    """One object that says it all: id, state, done, progress, removed, notified, seconds.

    `done` is true when the reset is settled and no alert of it is still to be sent; `seconds` counts from the moment
    it was to begin.
    """
    progress = progress_of(session, reset.id)
    settled = reset.state in SETTLED
    alerts = Notification.reset_id == reset.id
    # Alerts are sent only once the reset is settled: until then there is nothing to count, at every look anew.
    to_learners = alerts & (Notification.kind == NotificationKind.COURSE_ASSIGNED)
    sent = select(func.count()).where(to_learners, Notification.state == NotificationState.SENT)
    due = select(select(Notification).where(alerts, Notification.state == NotificationState.PENDING).exists())
    until = reset.finished_at or datetime.now(UTC)
    return {
        "id": str(reset.id),
        "state": reset.state.value,
        "done": settled and not session.scalars(due).one(),
        "progress": {name: getattr(progress, name) for name in ("total", "cleared", "unchanged", "skipped", "failed")},
        "removed": removed_by(session, reset.id),
        "notified": session.scalars(sent).one() if settled else 0,
        "seconds": max(0.0, round((until - reset.start_at).total_seconds(), 3)),
    }
