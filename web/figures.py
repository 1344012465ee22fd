"""The metrics read from the database, and the messages in the broker: the same from every process, and unaffected by
restarts.

`registry` is a Prometheus registry of its own. The queries are in `models.figures`.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from kombu.exceptions import OperationalError
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from models.announcements import ANNOUNCEMENTS
from models.certificates import DOCUMENTS
from models.evidence import PARTS
from models.figures import (
    age_of_last_beat,
    age_of_oldest_open_run,
    alerts_by_state,
    backlog,
    held_resets,
    open_learners,
    open_work,
    waiting_learners,
)
from models.files.deletions import DELETIONS
from models.mail import MAILS
from models.participants import REQUESTS
from models.resets import ResetState
from models.retention.by_age import age_of_oldest
from models.retention.periods import RETENTIONS
from models.session import Session, transaction
from models.tallies import of_deleted, of_state
from models.tallies import totals as all_totals
from models.webhooks import DELIVERIES
from tasks.broker import messages_waiting

OUTBOXES = {
    "mail": MAILS,
    "webhook": DELIVERIES,
    "certificate": DOCUMENTS,
    "announcement": ANNOUNCEMENTS,
    "file_deletion": DELETIONS,
    "participant": REQUESTS,
    "evidence": PARTS,
}


class Database(Collector):
    """Figures of the whole installation. Labels are states, and the short names of a few organizations; never ids."""

    def collect(self) -> Iterable[Metric]:
        """Query the database. Raises `DBAPIError` if it does not answer, so that the scrape fails."""
        with transaction() as session:
            totals = all_totals(session)
            yield from _resets(session, totals)
            yield from _learners(session, totals)
            yield from _work(session)
            yield from _alerts(session)
            yield from _outboxes(session)
            yield from _beat(session)
            yield from _kept(session, totals)

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering runs no query."""
        return ()


class Broker(Collector):
    """The messages that wait in the broker. There is no figure while it does not answer: resets do not depend on it."""

    def collect(self) -> Iterable[Metric]:
        """Ask the broker."""
        metric = GaugeMetricFamily(
            "recourse_messages_waiting",
            "Messages that no worker has taken yet; absent while the broker does not answer.",
            labels=["queue"],
        )
        with suppress(OperationalError):
            for queue, count in messages_waiting().items():
                metric.add_metric([queue], float(count))
        yield metric

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering asks nothing."""
        return ()


registry = CollectorRegistry()
registry.register(Database())
registry.register(Broker())


def _resets(session: Session, totals: Mapping[str, int]) -> Iterator[Metric]:
    counts = {state.value: totals.get(of_state(state), 0) for state in ResetState}
    yield _by("recourse_resets", "Resets by state.", "state", counts)
    yield GaugeMetricFamily(
        "recourse_oldest_open_seconds",
        "Age of the oldest run with open learners; 0 if there is none.",
        age_of_oldest_open_run(session),
    )
    yield CounterMetricFamily(
        "recourse_recoveries", "How often lost work was sent again.", float(totals.get("recoveries", 0))
    )


def _learners(session: Session, totals: Mapping[str, int]) -> Iterator[Metric]:
    yield _by(
        "recourse_learners_settled",
        "Learners with a final outcome, by outcome.",
        "outcome",
        {outcome: totals.get(f"learners/{outcome}", 0) for outcome in ("cleared", "unchanged", "skipped")},
        family=CounterMetricFamily,
    )
    yield GaugeMetricFamily(
        "recourse_learners_failed",
        "Learners who failed and have not been retried successfully.",
        float(totals.get("learners/failed", 0)),
    )
    yield GaugeMetricFamily(
        "recourse_learners_open",
        "Learners in the ledger without an outcome.",
        float(open_learners(session)),
    )
    yield GaugeMetricFamily(
        "recourse_learners_waiting",
        "Learners who are reset here, and wait for a participant.",
        float(waiting_learners(session)),
    )


def _work(session: Session) -> Iterator[Metric]:
    yield _by("recourse_resets_held", "Open resets that are paused or queued.", "why", held_resets(session))
    metric = GaugeMetricFamily(
        "recourse_work_open",
        "Learners to reset, and things to send, by queue and organization; without what is paused.",
        labels=["queue", "organization"],
    )
    for (queue, organization), count in open_work(session).items():
        metric.add_metric([queue, organization], float(count))
    yield metric


def _alerts(session: Session) -> Iterator[Metric]:
    yield _by(
        "recourse_alerts",
        "Alerts created in the last day, by state; pending ones of any age.",
        "state",
        {state.value: count for state, count in alerts_by_state(session).items()},
    )


def _outboxes(session: Session) -> Iterator[Metric]:
    found = {name: backlog(session, outbox) for name, outbox in OUTBOXES.items()}
    mail = found["mail"]
    yield GaugeMetricFamily("recourse_mails_pending", "E-mails to be sent, now or later.", float(mail.waiting))
    yield GaugeMetricFamily(
        "recourse_mails_overdue_seconds",
        "How long the oldest due e-mail has been waiting; 0 if none is due.",
        mail.overdue_seconds,
    )
    yield _by(
        "recourse_outbox_waiting",
        "Items to be sent, made or deleted, now or later.",
        "outbox",
        {name: one.waiting for name, one in found.items()},
    )
    yield _by(
        "recourse_outbox_overdue_seconds",
        "How long the oldest due item has been waiting; 0 if none is due.",
        "outbox",
        {name: one.overdue_seconds for name, one in found.items()},
    )
    yield _by(
        "recourse_outbox_given_up",
        "Items refused for good, or given up after the last attempt.",
        "outbox",
        {name: one.given_up for name, one in found.items() if one.given_up is not None},
    )


def _beat(session: Session) -> Iterator[Metric]:
    metric = GaugeMetricFamily("recourse_beat_age_seconds", "Time since beat last ticked; absent if it never has.")
    age = age_of_last_beat(session)
    if age is not None:
        metric.add_metric([], age)
    yield metric


def _kept(session: Session, totals: Mapping[str, int]) -> Iterator[Metric]:
    tables = [retention.table for retention in RETENTIONS]
    yield _by(
        "recourse_deleted_rows",
        "Rows deleted at the end of their retention.",
        "table",
        {table: totals.get(of_deleted(table), 0) for table in tables},
        family=CounterMetricFamily,
    )
    oldest = {retention.table: age_of_oldest(session, retention) for retention in RETENTIONS}
    yield _by(
        "recourse_oldest_row_seconds",
        "Age of the oldest row in each table with a retention.",
        "table",
        {table: age or 0 for table, age in oldest.items()},
    )


def _by(name: str, words: str, label: str, figures: Mapping[str, float], *, family: Any = GaugeMetricFamily) -> Metric:
    metric: Metric = family(name, words, labels=[label])
    for value, figure in figures.items():
        metric.add_metric([value], float(figure))  # type: ignore[attr-defined]
    return metric
