"""The progress and result of a reset, for pages, the API, the command line and Celery's result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, true
from sqlalchemy.orm import Session

from config.languages import gettext, translatable
from models.mail import MailFigures, mails_of
from models.notifications import IS_PENDING, Notification, NotificationKind, NotificationState
from models.participant_asks import waiting_for
from models.pauses import Paused, pauses_of
from models.records import kind_labels, record_kinds
from models.reset_queue import places_of
from models.resets import SETTLED, Reset, ResetSlice
from tasks.speed import Speed, speed_of

COUNTS = ("total", "cleared", "unchanged", "skipped", "failed", "waiting")
PACE = ("learners_per_second", "seconds_left")  # of a report: known only while it goes on
TIMES = {"seconds", *PACE}  # of a report: they change with time alone


@dataclass(frozen=True)
class Progress:
    """The totals of the ledger."""

    total: int
    cleared: int
    unchanged: int
    skipped: int
    failed: int
    open_slices: int
    slices_in_flight: int
    waiting: int = 0  # cleared here; a participant has still to do so
    waiting_for: Mapping[str, int] = field(default_factory=dict)  # learners by participant
    sent_at: datetime | None = None  # of the open slices that are sent: when the first of them was
    moved_at: datetime | None = None  # when a slice was last begun or settled

    @property
    def is_open(self) -> bool:
        """Whether something has still to be done."""
        return bool(self.open_slices or self.waiting)

    def goes_on_elsewhere(self, *, paused: bool) -> bool:
        """Whether learners who are cleared here wait for participants, and nobody is being cleared here meanwhile."""
        return bool(self.waiting) and (paused or not self.slices_in_flight)

    @property
    def settled(self) -> int:
        """Number of learners whose outcome is known."""
        return self.cleared + self.unchanged + self.skipped + self.failed

    @property
    def left(self) -> int:
        """Number of learners who are not cleared here yet."""
        return self.total - self.settled - self.waiting

    @property
    def outcome(self) -> str:
        """The outcome as a phrase."""
        if not self.total:
            return gettext("No one was reset")
        sentence = {
            (False, False): translatable("{cleared:,} of {total:,} learners reset, {unchanged:,} had nothing to reset"),
            (False, True): translatable(
                "{cleared:,} of {total:,} learners reset, {unchanged:,} had nothing to reset, {skipped:,} skipped"
            ),
            (True, False): translatable("{left:,} of {total:,} learners were not reset"),
            (True, True): translatable(
                "{left:,} of {total:,} learners were not reset: {failed:,} failed, {skipped:,} skipped"
            ),
        }[bool(self.failed), bool(self.skipped)]
        counts = {name: getattr(self, name) for name in COUNTS}
        return gettext(sentence, left=self.failed + self.skipped, **counts)

    def __str__(self) -> str:
        """Returns the progress as Flower shows it."""
        words = gettext("{settled:,} of {total:,} learners", settled=self.settled, total=self.total)
        words += f" · {gettext('{count:,} failed', count=self.failed)}" if self.failed else ""
        return words + (f" · {self.waits}" if self.waits else "")

    @property
    def waits(self) -> str:
        """For whom learners wait who are cleared here; empty if no one does."""
        each = ", ".join(f"{code}: {learners:,}" for code, learners in self.waiting_for.items())
        return gettext("cleared here, waiting for {each}", each=each) if each else ""


def progress_of(session: Session, reset_id: UUID) -> Progress:
    """Returns the sum over the reset's slices: a few hundred rows, however large the course is."""
    return progress_of_each(session, [reset_id])[reset_id]


def progress_of_each(session: Session, reset_ids: Sequence[UUID]) -> dict[UUID, Progress]:
    """Returns the progress of several resets, by id."""
    open_slice = ResetSlice.settled_at.is_(None)
    moved = func.max(func.greatest(ResetSlice.begun_at, ResetSlice.settled_at))
    learners = (
        func.sum(column)
        for column in (
            ResetSlice.learners,
            ResetSlice.cleared,
            ResetSlice.unchanged,
            ResetSlice.skipped,
            ResetSlice.failed,
            ResetSlice.waiting,
        )
    )
    rows = session.execute(
        select(
            ResetSlice.reset_id,
            func.min(ResetSlice.published_at).filter(open_slice),
            moved,
            *learners,
            func.count().filter(open_slice),
            func.count().filter(open_slice, ResetSlice.published_at.is_not(None)),
        )
        .where(ResetSlice.reset_id.in_(reset_ids))
        .group_by(ResetSlice.reset_id)
    )
    found = {}
    for reset_id, sent_at, moved_at, *figures in rows:
        total, cleared, unchanged, skipped, failed, waiting, open_slices, in_flight = map(int, figures)
        found[reset_id] = Progress(
            total,
            cleared,
            unchanged,
            skipped,
            failed,
            open_slices,
            in_flight,
            waiting,
            waiting_for(session, reset_id) if waiting else {},
            sent_at,
            moved_at,
        )
    return {reset_id: found.get(reset_id, Progress(0, 0, 0, 0, 0, 0, 0)) for reset_id in reset_ids}


def removed_by(session: Session, reset_id: UUID) -> dict[str, int]:
    """Returns the number of rows that the reset removed, by record kind."""
    counts = func.jsonb_each_text(ResetSlice.removed).table_valued("key", "value")
    rows = session.execute(
        select(counts.c.key, func.sum(counts.c.value.cast(ResetSlice.learners.type)))
        .select_from(ResetSlice)
        .join(counts, true())
        .where(ResetSlice.reset_id == reset_id)
        .group_by(counts.c.key)
    )
    found = {kind: int(count) for kind, count in rows}
    ours = {kind.kind(): found.pop(kind.kind(), 0) for kind in record_kinds()}
    return ours | dict(sorted(found.items()))  # then those of participants, and of kinds that were removed since


def removed_in_words(removed: Mapping[str, int]) -> dict[str, int]:
    """Returns the figures of `removed_by` by labels for people. A participant's kinds have the names it gives them."""
    labels = kind_labels()
    return {labels.get(kind, kind): count for kind, count in removed.items()}


def report(session: Session, reset: Reset) -> dict[str, Any]:
    """Returns the reset as one object: id, state, paused, place, done, progress, waiting_for, removed, notified,
    seconds, learners_per_second, seconds_left.

    `paused` says what is paused, why, by whom and since when; `place` is that in the queue of its organization.
    `done` is true once the reset is settled and all its alerts are sent; `seconds` counts from its start time.
    The last two are `None` where they cannot be known; see `speed_of`.
    """
    paused, place = pauses_of(session, [reset]).get(reset.id), places_of(session, [reset]).get(reset.id)
    return report_of(session, reset, progress_of(session, reset.id), paused, place)


def report_of(
    session: Session, reset: Reset, progress: Progress, paused: Paused | None, place: int | None
) -> dict[str, Any]:
    """Returns the `report` of a reset whose progress, pause and place are known."""
    settled = reset.state in SETTLED
    alerts = Notification.reset_id == reset.id
    # Counted once the reset is settled: while it runs, pages ask every second, and there may be a million.
    to_learners = alerts & (Notification.kind == NotificationKind.COURSE_ASSIGNED)
    sent = select(func.count()).where(to_learners, Notification.state == NotificationState.SENT)
    due = select(
        select(Notification).where(alerts, IS_PENDING).exists()
        | select(ResetSlice).where(ResetSlice.reset_id == reset.id, ResetSlice.alerts_due).exists()
    )
    until = reset.finished_at or datetime.now(UTC)
    speed = Speed()
    if not paused:
        speed = speed_of(session, reset, left=progress.left, slices_in_flight=progress.slices_in_flight)
    return {
        "id": str(reset.id),
        "state": reset.state.value,
        "paused": _as_object(paused),
        "place": place,
        "done": settled and not session.scalars(due).one(),
        "progress": {name: getattr(progress, name) for name in COUNTS},
        "waiting_for": dict(progress.waiting_for),
        "removed": removed_by(session, reset.id),
        "notified": _notified(session, reset, sent) if settled else 0,
        "seconds": max(0.0, round((until - reset.start_at).total_seconds(), 3)),
        "learners_per_second": speed.learners_per_second,
        "seconds_left": speed.seconds_left,
    }


def _as_object(paused: Paused | None) -> dict[str, str] | None:
    if paused is None:
        return None
    return {"scope": paused.scope.value, "reason": paused.reason, "by": paused.by, "at": paused.at.isoformat()}


def mails_in(session: Session, reset: Reset) -> MailFigures:
    """Returns the results of the reset's e-mails, even if their rows have been deleted."""
    return mails_of(session, reset.id) if reset.figures is None else MailFigures(**reset.figures["mails"])


def _notified(session: Session, reset: Reset, sent: Select[int]) -> int:
    return session.scalars(sent).one() if reset.figures is None else int(reset.figures["notified"])
