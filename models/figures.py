"""Figures of the whole installation, over all its organizations, for `/metrics`.

Their cost grows with what is open or has just ended, not with history; totals over all time are in `models.tallies`.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import BigInteger, Select, case, func, literal, select, union_all
from sqlalchemy.orm import Session

from models.heartbeat import BEAT, Heartbeat
from models.mail import MAILS, Mail
from models.notifications import IS_PENDING, Notification, NotificationState
from models.outbox import Outbox
from models.pauses import is_paused
from models.people import Organization
from models.reset_queue import A_FEW, queued
from models.resets import Reset, ResetSlice, ResetState
from models.webhooks import DELIVERIES, WebhookDelivery, WebhookEndpoint

MOST_ORGANIZATIONS = 20  # with figures of their own
OTHERS = "(others)"  # no short name has parentheses
RECENT = timedelta(days=1)


@dataclass(frozen=True)
class Backlog:
    """What an outbox holds."""

    waiting: int  # items due now or later
    overdue_seconds: float  # how long the oldest due item has been waiting; 0 if none is due
    given_up: int | None  # items no longer tried; `None` if this outbox never gives up


def backlog(session: Session, outbox: Outbox) -> Backlog:
    """Return what the outbox holds."""
    overdue = func.extract("epoch", func.now() - func.min(outbox.due_at))
    waiting, seconds = session.execute(select(func.count(), overdue).where(outbox.waiting)).one()
    given_up = None
    if outbox.given_up is not None:
        given_up = session.scalar(select(func.count()).select_from(outbox.table).where(outbox.given_up)) or 0
    return Backlog(waiting, max(0.0, float(seconds or 0)), given_up)


def age_of_oldest_open_run(session: Session) -> float:
    """Return the seconds since the oldest open run began that is neither paused nor queued; 0 if there is none."""
    # A run's id carries the time it began, also for a retry, whose request may be months old.
    began = func.greatest(Reset.start_at, func.uuid_extract_timestamp(Reset.task_id))
    age = func.extract("epoch", func.now() - func.min(began))
    due = Reset.state.in_((ResetState.REQUESTED, ResetState.RUNNING)) & (Reset.start_at <= func.now())
    due &= ~is_paused() & Reset.id.not_in(queued())
    return max(0.0, float(session.scalar(select(age).where(due)) or 0))


def open_learners(session: Session) -> int:
    """Return the number of learners in the ledger without an outcome."""
    left = ResetSlice.learners - ResetSlice.counted
    open_slices = ResetSlice.settled_at.is_(None)
    return int(session.scalars(select(func.coalesce(func.sum(left), 0)).where(open_slices)).one())


def waiting_learners(session: Session) -> int:
    """Return the number of learners who are reset here, and wait for a participant."""
    waiting = select(func.coalesce(func.sum(ResetSlice.waiting), 0)).where(ResetSlice.waiting > 0)
    return int(session.scalars(waiting).one())


def alerts_by_state(session: Session) -> dict[NotificationState, int]:
    """Return the counts of alerts created within the last day, by state; of pending alerts, all: those too for which
    there is only a slice of cleared learners yet."""
    recent = (
        select(Notification.state, func.count())
        .where(Notification.created_at > func.now() - RECENT)
        .group_by(Notification.state)
    )
    pending = select(func.count()).where(IS_PENDING)
    counts = dict.fromkeys(NotificationState, 0) | {state: count for state, count in session.execute(recent)}  # noqa: C416 - a row
    of_slices = select(func.coalesce(func.sum(ResetSlice.cleared), 0).cast(BigInteger)).where(ResetSlice.alerts_due)
    return counts | {NotificationState.PENDING: sum(session.scalars(union_all(pending, of_slices)))}


def age_of_last_beat(session: Session) -> float | None:
    """Return the seconds since beat last ticked; `None` if it never has."""
    age = func.extract("epoch", func.now() - Heartbeat.at)
    seconds = session.scalar(select(age).where(Heartbeat.part == BEAT))
    return None if seconds is None else float(seconds)


def open_work(session: Session) -> dict[tuple[str, str], int]:
    """Return the open work by queue and organization: learners to reset, in `interactive` and `bulk`; alerts, e-mails
    and webhooks to send, in `notify`. What is paused does not count.

    By the short names of the organizations with most of it, and `OTHERS` for the rest together, which is always there.
    """
    found: Counter[tuple[str, int]] = Counter()
    for statement in (_learners_to_reset(), *_things_to_send()):
        for queue, organization_id, count in session.execute(statement):
            found[queue, organization_id] += int(count)
    of_each: Counter[int] = Counter()
    for (_, organization_id), count in found.items():
        of_each[organization_id] += count
    most = [organization_id for organization_id, _ in of_each.most_common(MOST_ORGANIZATIONS)]
    slugs = dict(session.execute(select(Organization.id, Organization.slug).where(Organization.id.in_(most))).all())
    work: Counter[tuple[str, str]] = Counter({(queue, OTHERS): 0 for queue in ("interactive", "bulk", "notify")})
    for (queue, organization_id), count in found.items():
        work[queue, slugs.get(organization_id, OTHERS)] += count
    return dict(work)


def _learners_to_reset() -> Select[str, int, int]:
    queue = case((Reset.learners <= A_FEW, "interactive"), else_="bulk")
    return (
        select(queue, Reset.organization_id, func.sum(ResetSlice.learners - ResetSlice.counted))
        .join(Reset, Reset.id == ResetSlice.reset_id)
        .where(ResetSlice.settled_at.is_(None), ~ResetSlice.held, ~is_paused())
        .group_by(queue, Reset.organization_id)
    )


def _things_to_send() -> list[Select[str, int, int]]:
    notify = literal("notify")
    return [
        select(notify, Reset.organization_id, func.sum(ResetSlice.cleared))
        .join(Reset, Reset.id == ResetSlice.reset_id)
        .where(ResetSlice.alerts_due)
        .group_by(Reset.organization_id),
        select(notify, Mail.organization_id, func.count()).where(MAILS.waiting).group_by(Mail.organization_id),
        select(notify, WebhookEndpoint.organization_id, func.count())
        .join(WebhookDelivery, WebhookDelivery.endpoint_id == WebhookEndpoint.id)
        .where(DELIVERIES.waiting)
        .group_by(WebhookEndpoint.organization_id),
    ]


def held_resets(session: Session) -> dict[str, int]:
    """Return how many open resets are paused, and how many wait in the queue of their organization."""
    is_open = Reset.state.in_((ResetState.REQUESTED, ResetState.RUNNING)) & Reset.cancel_requested_at.is_(None)
    paused = session.scalar(select(func.count()).select_from(Reset).where(is_open, is_paused()))
    line = queued().subquery()
    return {"paused": paused or 0, "queued": session.scalar(select(func.count()).select_from(line)) or 0}
