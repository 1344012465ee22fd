"""What is measured, from the database: the same figures whichever process is asked, and after every restart.

`registry` is a Prometheus registry of its own. Each look at it runs a handful of queries whose cost grows with what is
open or has just ended, and not with what there has ever been: that is in `models/tallies.py`.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from models.announcements import ANNOUNCEMENTS
from models.certificates import DOCUMENTS
from models.files.deletions import DELETIONS
from models.heartbeat import BEAT, Heartbeat
from models.mail import MAILS, Mail, MailState
from models.notifications import Notification, NotificationState
from models.resets import Reset, ResetSlice, ResetState
from models.retention.by_age import age_of_oldest
from models.retention.periods import RETENTIONS
from models.session import Session, transaction
from models.tallies import of_deleted, of_state
from models.tallies import totals as all_totals
from models.webhooks import DELIVERIES

ALERTS_OF = timedelta(days=1)
OUTBOXES = {
    "mail": MAILS,
    "webhook": DELIVERIES,
    "certificate": DOCUMENTS,
    "announcement": ANNOUNCEMENTS,
    "file_deletion": DELETIONS,
}


class Database(Collector):
    """The figures of the whole installation, over all its organizations. Labels are states, never ids or names."""

    def collect(self) -> Iterable[Metric]:
        """Ask the database. Raises `DBAPIError` if it does not answer, so that a scrape fails instead of lying."""
        with transaction() as session:
            totals = all_totals(session)
            yield from _resets(session, totals)
            yield from _learners(session, totals)
            yield from _alerts(session)
            yield from _mails(session)
            yield from _outboxes(session)
            yield from _beat(session)
            yield from _kept(session, totals)

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that nothing is asked while this is registered."""
        return ()


registry = CollectorRegistry()
registry.register(Database())


def _resets(session: Session, totals: Mapping[str, int]) -> Iterator[Metric]:
    counts = {state.value: totals.get(of_state(state), 0) for state in ResetState}
    yield _by("recourse_resets", "Resets by state.", "state", counts)
    # A run's id says when it began, also that of a retry: its request may be months old.
    began = func.greatest(Reset.start_at, func.uuid_extract_timestamp(Reset.task_id))
    age = func.extract("epoch", func.now() - func.min(began))
    due = Reset.state.in_((ResetState.REQUESTED, ResetState.RUNNING)) & (Reset.start_at <= func.now())
    yield GaugeMetricFamily(
        "recourse_oldest_open_seconds",
        "Age of the oldest run with learners still open; 0 if there is none.",
        max(0.0, float(session.scalar(select(age).where(due)) or 0)),
    )
    yield CounterMetricFamily(
        "recourse_recoveries", "Times that lost work had to be sent again.", float(totals.get("recoveries", 0))
    )


def _learners(session: Session, totals: Mapping[str, int]) -> Iterator[Metric]:
    yield _by(
        "recourse_learners_settled",
        "Learners whose outcome is final, by outcome.",
        "outcome",
        {outcome: totals.get(f"learners/{outcome}", 0) for outcome in ("cleared", "unchanged", "skipped")},
        family=CounterMetricFamily,
    )
    yield GaugeMetricFamily(
        "recourse_learners_failed",
        "Learners who failed and were not retried with success yet.",
        float(totals.get("learners/failed", 0)),
    )
    left = ResetSlice.learners - ResetSlice.cleared - ResetSlice.unchanged - ResetSlice.skipped - ResetSlice.failed
    still = select(func.coalesce(func.sum(left), 0)).where(ResetSlice.settled_at.is_(None))
    yield GaugeMetricFamily(
        "recourse_learners_open",
        "Learners in the ledger whose outcome is not known yet.",
        float(session.scalar(still) or 0),
    )


def _alerts(session: Session) -> Iterator[Metric]:
    recent = (
        select(Notification.state, func.count())
        .where(Notification.created_at > func.now() - ALERTS_OF)
        .group_by(Notification.state)
    )
    counts = {state.value: 0 for state in NotificationState}
    counts |= {state.value: alerts for state, alerts in session.execute(recent)}
    waiting = select(func.count()).where(Notification.state == NotificationState.PENDING)
    counts[NotificationState.PENDING.value] = session.scalar(waiting) or 0
    yield _by(
        "recourse_alerts",
        "Alerts of the last day by state; those pending are of any age.",
        "state",
        counts,
    )


def _mails(session: Session) -> Iterator[Metric]:
    pending = Mail.state == MailState.PENDING
    waiting, due = session.execute(select(func.count(), func.min(Mail.next_try_at)).where(pending)).one()
    yield GaugeMetricFamily("recourse_mails_pending", "E-mails that are to be sent, now or later.", float(waiting))
    overdue = session.scalar(select(func.extract("epoch", func.now() - due))) if due else 0
    yield GaugeMetricFamily(
        "recourse_mails_overdue_seconds",
        "How long the oldest e-mail that is due has been waiting; 0 if none is.",
        max(0.0, float(overdue or 0)),
    )


def _outboxes(session: Session) -> Iterator[Metric]:
    waiting: dict[str, float] = {}
    overdue: dict[str, float] = {}
    given_up: dict[str, float] = {}
    for name, outbox in OUTBOXES.items():
        age = func.extract("epoch", func.now() - func.min(outbox.due_at))
        waiting[name], late = session.execute(select(func.count(), age).where(outbox.waiting)).one()
        overdue[name] = max(0.0, float(late or 0))
        if outbox.given_up is not None:
            given_up[name] = session.scalar(select(func.count()).select_from(outbox.table).where(outbox.given_up)) or 0
    yield _by("recourse_outbox_waiting", "Items that are to be sent, made or deleted, now or later.", "outbox", waiting)
    yield _by(
        "recourse_outbox_overdue_seconds", "How long the oldest item that is due has been waiting.", "outbox", overdue
    )
    yield _by(
        "recourse_outbox_given_up",
        "Items that were refused for good, or tried in vain as often as they are tried.",
        "outbox",
        given_up,
    )


def _beat(session: Session) -> Iterator[Metric]:
    age = func.extract("epoch", func.now() - Heartbeat.at)
    beat = GaugeMetricFamily("recourse_beat_age_seconds", "Time since beat last ticked; absent if it never has.")
    for seconds in session.scalars(select(age).where(Heartbeat.part == BEAT)):
        beat.add_metric([], float(seconds))
    yield beat


def _kept(session: Session, totals: Mapping[str, int]) -> Iterator[Metric]:
    tables = [retention.table for retention in RETENTIONS]
    yield _by(
        "recourse_deleted_rows",
        "Rows that were deleted since they had served their time.",
        "table",
        {table: totals.get(of_deleted(table), 0) for table in tables},
        family=CounterMetricFamily,
    )
    oldest = {retention.table: age_of_oldest(session, retention) for retention in RETENTIONS}
    yield _by(
        "recourse_oldest_row_seconds",
        "Age of the oldest row of what is deleted by age.",
        "table",
        {table: age or 0 for table, age in oldest.items()},
    )


def _by(name: str, words: str, label: str, figures: Mapping[str, Any], *, family: Any = GaugeMetricFamily) -> Metric:
    metric: Metric = family(name, words, labels=[label])
    for value, figure in figures.items():
        metric.add_metric([value], float(figure))  # type: ignore[attr-defined]
    return metric
