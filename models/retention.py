"""How long what is only ever added is kept: each kind here and nowhere else, and what is kept for as long as there is
anything, with the reason.

A kind is deleted by age, oldest first, so many rows at once; `tasks/retention/tidy.py` asks for it again and again.
What is open is never deleted, however old. The settings say after how many days, and 0 that it is kept.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Select,
    any_,
    column,
    delete,
    func,
    literal_column,
    select,
    table,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.types import NullType

from config.settings import settings
from models.announcements import Announcement
from models.audit import AuditEntry
from models.base import Base
from models.events import Event
from models.files.deletions import FileDeletion
from models.idempotency import StoredAnswer
from models.mail import Mail, MailAlert, MailState, mails_of
from models.notifications import Notification, NotificationKind, NotificationState
from models.resets import Reset, ResetItem, ResetSlice
from models.retraining import Occurrence, OccurrenceState
from models.session import changed_rows
from models.sign_in import FAILURE_WINDOW, SESSION_IDLE, SignInFailure, WebSession
from models.tokens import ENDED_AT, ApiToken
from models.webhooks import DeliveryState, WebhookDelivery, WebhookMessage

Before = ColumnElement[datetime]


@dataclass(frozen=True)
class Retention:
    """How long the rows of a table are kept."""

    table: str
    kept: str | timedelta  # the setting that says for how many days; or for how long
    delete: Callable[[Session, Before, int], int]  # up to so many rows that are older; gives how many
    oldest: Select[Any]  # the moment of the oldest row that is to go some day

    @property
    def age(self) -> timedelta | None:
        """At which age rows go; none if they never do."""
        if isinstance(self.kept, timedelta):
            return self.kept
        days = getattr(settings(), self.kept)
        return timedelta(days=days) if days else None


def forget(session: Session, retention: Retention, most: int) -> int:
    """Delete up to `most` rows that have served their time. Gives how many; fewer than `most` if no more are left."""
    if retention.age is None:
        return 0
    return retention.delete(session, func.now() - retention.age, most)


def age_of_oldest(session: Session, retention: Retention) -> float | None:
    """The age of the table's oldest row in seconds; none if it has none."""
    oldest = retention.oldest.scalar_subquery()
    age = session.scalar(select(func.extract("epoch", func.now() - oldest)))
    return None if age is None else max(0.0, float(age))


def by_age(
    kind: type[Base],
    kept: str | timedelta,
    moment: ColumnElement[Any] | InstrumentedAttribute[Any],
    *over: ColumnElement[bool],
    of: ColumnElement[bool] | None = None,
    needed: ColumnElement[bool] | None = None,
) -> Retention:
    """Rows that go by the age of `moment`, which has an index (of some rows, `of`), once all of `over` is so.

    What is `needed` by another table stays. That is asked of the oldest alone, so that no other table is read from end
    to end; so it must be for a while only, or many such rows would keep younger ones from being looked at.
    """
    name = str(kind.__tablename__)
    place: ColumnElement[Any] = literal_column(f"{name}.ctid")
    some = true() if of is None else of

    def delete_some(session: Session, before: Before, most: int) -> int:
        old = (
            select(place)
            .select_from(kind)
            .where(moment < before, some, *over)
            .order_by(moment)
            .limit(most)
            .with_for_update(of=kind, skip_locked=True)  # what somebody has in hand goes the next time
        )
        # By their places, as an array: a join would read the whole table as soon as that seems to be less.
        these = place == any_(_array_of(old))
        return changed_rows(session, delete(kind).where(these, true() if needed is None else ~needed))

    return Retention(name, kept, delete_some, select(func.min(moment)).where(some))


def _array_of(query: Select[Any]) -> ColumnElement[Any]:
    return func.array(query.scalar_subquery(), type_=ARRAY(NullType()))


def _delete_ledger(session: Session, before: Before, most: int) -> int:
    """The learners of the resets that ended first. With the last one of a reset go its slices, all but one with their
    sums: so what is told of the reset stays true."""
    gone = 0
    while gone < most:
        reset = session.scalar(
            select(Reset)
            .where(Reset.finished_at < before, Reset.details_deleted_at.is_(None))
            .order_by(Reset.finished_at)
            .limit(1)
            .with_for_update(key_share=True, skip_locked=True)
        )
        if reset is None:
            break
        if reset.figures is None:
            _sum_up(session, reset)
        some = select(ResetItem.enrolment_id).where(ResetItem.reset_id == reset.id).limit(most - gone).cte("some")
        gone += changed_rows(
            session,
            delete(ResetItem).where(ResetItem.reset_id == reset.id, ResetItem.enrolment_id == some.c.enrolment_id),
        )
        if gone < most:
            gone += _fold_slices(session, reset)
            reset.details_deleted_at = session.scalars(select(func.now())).one()
            session.flush()
    return gone


def _fold_slices(session: Session, reset: Reset) -> int:
    """Make one slice of all, which was never to be sent. Gives how many rows there are fewer."""
    mine = ResetSlice.reset_id == reset.id
    kinds = func.jsonb_each_text(ResetSlice.removed).table_valued("key", "value").lateral()
    rows = (
        select(kinds.c.key.label("kind"), func.sum(kinds.c.value.cast(ResetSlice.learners.type)).label("rows"))
        .select_from(ResetSlice)
        .join(kinds, true())
        .where(mine)
        .group_by(kinds.c.key)
        .subquery()
    )
    removed = session.scalar(select(func.jsonb_object_agg(rows.c.kind, rows.c.rows))) or {}
    counts = ("learners", "cleared", "unchanged", "skipped", "failed")
    columns = [getattr(ResetSlice, name) for name in counts]
    slices, number, settled_at, *sums = session.execute(
        select(
            func.count(), func.min(ResetSlice.number), func.max(ResetSlice.settled_at), *map(func.sum, columns)
        ).where(mine)
    ).one()
    if slices < 2:
        return 0
    session.execute(delete(ResetSlice).where(mine).execution_options(synchronize_session=False))
    figures = {name: int(figure) for name, figure in zip(counts, sums, strict=True)}
    one = {"reset_id": reset.id, "number": number, "first": 0, "last": 0, "position": 0, "settled_at": settled_at}
    session.execute(insert(ResetSlice).values(**one, **figures, removed=removed))
    return int(slices) - 1


def keep_figures(session: Session, most: int) -> int:
    """Take down what the alerts and e-mails of resets amount to, before the first of these rows goes.

    Gives how many resets: up to `most`. Their failed learners cannot be tried again from then on.
    """
    ages = [one.age for one in RETENTIONS if one.table in ("reset_item", "notification", "mail")]
    first = min((age for age in ages if age is not None), default=None)
    if first is None:
        return 0
    resets = session.scalars(
        select(Reset)
        .where(Reset.finished_at < func.now() - first, Reset.figures.is_(None))
        .order_by(Reset.finished_at)
        .limit(most)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    for reset in resets:
        _sum_up(session, reset)
    session.flush()
    return len(resets)


def _sum_up(session: Session, reset: Reset) -> None:
    notified = select(func.count()).where(
        Notification.reset_id == reset.id,
        Notification.kind == NotificationKind.COURSE_ASSIGNED,
        Notification.state == NotificationState.SENT,
    )
    reset.figures = {"notified": session.scalars(notified).one(), "mails": asdict(mails_of(session, reset.id))}


def _delete_resets(session: Session, before: Before, most: int) -> int:
    """Resets whose ledger is gone, and of which nothing else is left."""
    nothing_left = [
        ~select(kind).where(kind.reset_id == Reset.id).exists()
        for kind in (Notification, WebhookMessage, Occurrence, FileDeletion, Announcement)
    ]
    some = session.scalars(
        select(Reset)
        .where(Reset.finished_at < before, Reset.details_deleted_at.is_not(None), Reset.counted, *nothing_left)
        .order_by(Reset.finished_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    ).all()
    for reset in some:
        session.delete(reset)
    session.flush()
    return len(some)


def _delete_audit(session: Session, before: Before, most: int) -> int:
    """By a function of the database, since nothing else may: it refuses what is younger than 90 days."""
    return int(session.scalars(select(func.forget_audit_before(before, most))).one())


_results = table("celery_taskmeta", column("id"), column("date_done", DateTime(timezone=False)))


def _delete_results(session: Session, before: Before, most: int) -> int:
    """Celery's own results. It has no index by time; but their ids are in the order of time, but for a few."""
    if session.scalar(select(func.to_regclass("celery_taskmeta"))) is None:  # Celery makes it with its first result
        return 0
    first = select(_results.c.id).order_by(_results.c.id).limit(most)
    old = _results.c.date_done < func.timezone("UTC", before)
    return changed_rows(session, delete(_results).where(_results.c.id == any_(_array_of(first)), old))


_summed_up = select(Reset).where(Reset.id == Notification.reset_id, Reset.figures.is_not(None)).exists()
_alerts_of_mail = select(MailAlert).join(Notification, Notification.id == MailAlert.notification_id)
_in_a_mail_to_be_sent = (
    select(MailAlert)
    .join(Mail, Mail.id == MailAlert.mail_id)
    .where(MailAlert.notification_id == Notification.id, Mail.state == MailState.PENDING)
    .exists()
)

RETENTIONS: tuple[Retention, ...] = (
    Retention(
        "reset_item",
        "keep_ledger_days",
        _delete_ledger,
        select(func.min(Reset.finished_at)).where(Reset.finished_at.is_not(None), Reset.details_deleted_at.is_(None)),
    ),
    by_age(
        Mail,
        "keep_mails_days",
        Mail.created_at,
        Mail.state != MailState.PENDING,
        needed=_alerts_of_mail.where(
            MailAlert.mail_id == Mail.id, Notification.reset_id.is_not(None), ~_summed_up
        ).exists(),
    ),
    by_age(
        Notification,
        "keep_alerts_days",
        Notification.created_at,
        Notification.state != NotificationState.PENDING,
        needed=(Notification.reset_id.is_not(None) & ~_summed_up) | _in_a_mail_to_be_sent,
    ),
    by_age(
        WebhookMessage,
        "keep_webhooks_days",
        WebhookMessage.created_at,
        needed=select(WebhookDelivery)
        .where(WebhookDelivery.message_id == WebhookMessage.id, WebhookDelivery.state == DeliveryState.PENDING)
        .exists(),
    ),
    by_age(
        Occurrence,
        "keep_occurrences_days",
        Occurrence.due_at,
        of=Occurrence.state.in_((OccurrenceState.SETTLED, OccurrenceState.SKIPPED)),
    ),
    by_age(
        Event,
        "keep_events_days",
        Event.reported_at,
        needed=select(Occurrence).where(Occurrence.event_id == Event.id).exists(),
    ),
    Retention(
        "reset",
        "keep_resets_days",
        _delete_resets,
        select(func.min(Reset.finished_at)).where(Reset.details_deleted_at.is_not(None)),
    ),
    Retention("audit", "keep_audit_days", _delete_audit, select(AuditEntry.at).order_by(AuditEntry.id).limit(1)),
    by_age(StoredAnswer, "keep_answers_days", StoredAnswer.created_at),
    by_age(ApiToken, "keep_ended_tokens_days", ENDED_AT),
    Retention(
        "celery_taskmeta",
        "keep_results_days",
        _delete_results,
        select(func.timezone("UTC", _results.c.date_done)).order_by(_results.c.id).limit(1),
    ),
    by_age(WebSession, SESSION_IDLE, WebSession.seen_at),  # one that is too old by now is refused until then
    by_age(SignInFailure, FAILURE_WINDOW, SignInFailure.at),
)

WITH_ANOTHER = {
    "reset_slice": "reset_item",
    "mail_alert": "mail",
    "webhook_delivery": "webhook_message",
}
"""Tables whose rows go with those of another, in one transaction."""

KEPT = {
    "organization": "what everything belongs to",
    "user": "people; one by one they can be erased",
    "credential": "one row a user, and it goes when they are erased",
    "user_group": "an organization's structure",
    "group_member": "an organization's structure",
    "alert_preference": "a user's wish for a course",
    "course": "what is trained",
    "activity": "what is trained",
    "enrolment": "one row for each course of a user",
    "retraining_rule": "a standing order and who gave it; a few",
    "event_source": "set up by hand; a few",
    "webhook_endpoint": "set up by hand; a few",
    "superseded_serial": "a paper may be shown at any time, and must not pass for one that was never issued",
    "heartbeat": "one row a part of the installation",
    "lease": "one row a kind of work",
    "first_start_token": "one row until there is an organization",
    "tally": "one row a total",
    "announcement": "an outbox: the row goes when it is done or given up",
    "file_deletion": "an outbox: the row goes with the file",
    "learner_event": "an outbox: the row goes at the end of the reset",
    "journal_entry": "an outbox: the row goes into the storage",
    "celery_tasksetmeta": "Celery's, for groups of tasks, which are not used",
}
"""Tables that do not grow with time, or whose rows are of use for good. Those of learners' records go with a reset."""
