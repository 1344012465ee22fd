"""Put the alerts that the outbox holds into the inboxes, and into the e-mails that carry them."""

from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import CTE, String, case, cast, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from config.settings import settings
from models.mail import Mail, MailAlert
from models.notifications import ABOUT_ONES_OWN, Notification, NotificationState
from models.people import User
from models.preferences import wants_mail, why_no_alert
from models.session import transaction
from models.training import Enrolment
from tasks.app import app
from tasks.messages import NOTIFY_LEARNERS
from tasks.outbox.due import send_due_outboxes

BATCH = 1000

log = structlog.get_logger(__name__)


@app.task(name=NOTIFY_LEARNERS)
def notify(*, reset_id: str | None = None) -> None:
    """Put the pending alerts of the reset, or those of none, into the inboxes of those who still want them.

    An alert is sent or suppressed once: its row is locked and its state changed in one statement, so a second
    message for the same reset finds nothing. The same statement writes the e-mails that are wanted; sending those is
    `tasks/alerts/mail.py`'s, and what becomes of them changes nothing here. Nothing here waits for anybody outside the
    house.
    """
    while settled := send_batch(UUID(reset_id) if reset_id else None):
        log.info("alerts_settled", reset=reset_id, alerts=settled)
    with transaction() as session:
        send_due_outboxes(session)


def send_batch(reset_id: UUID | None) -> int:
    """Settle up to `BATCH` of the reset's pending alerts, or of those that belong to no reset. Gives how many."""
    settled = _settled(reset_id)
    count = select(func.count()).select_from(settled)
    if settings().smtp_host:
        count = count.add_cte(_joined(settled, _mails(settled)))
    with transaction() as session:
        return session.scalars(count).one()


def _settled(reset_id: UUID | None) -> CTE:
    enrolled = (
        select(Enrolment)
        .where(
            Enrolment.user_id == User.id,
            Enrolment.course_id == Notification.course_id,
            Enrolment.unassigned_at.is_(None),
        )
        .exists()
    )
    why_not = case(
        *why_no_alert(Notification.course_id),
        (Notification.kind.in_(ABOUT_ONES_OWN) & ~enrolled, "the course is no longer assigned"),
    )
    due = (
        select(Notification.id, why_not.label("why_not"))
        .join(User, User.id == Notification.user_id)
        .where(
            Notification.reset_id == reset_id if reset_id else Notification.reset_id.is_(None),
            Notification.state == NotificationState.PENDING,
        )
        .order_by(Notification.id)
        .limit(BATCH)
        .with_for_update(of=Notification, skip_locked=True)
        .cte("due")
    )
    return (
        update(Notification)
        .where(Notification.id == due.c.id)
        .values(
            state=case(
                (due.c.why_not.is_(None), NotificationState.SENT.value),
                else_=NotificationState.SUPPRESSED.value,
            ),
            reason=due.c.why_not,
            sent_at=case((due.c.why_not.is_(None), func.now())),
        )
        .returning(
            Notification.id,
            Notification.user_id,
            Notification.course_id,
            Notification.kind,
            _bundle().label("bundle"),
            due.c.why_not,
        )
        .cte("settled")
    )


def _bundle() -> Any:
    """What alerts have in common that may be in one e-mail: to learners, their kind; to admins, nothing."""
    kind = cast(Notification.kind, String)
    return case((Notification.kind.in_(ABOUT_ONES_OWN), kind), else_=kind + " " + cast(Notification.id, String))


def _mails(settled: CTE) -> CTE:
    """The e-mails of these alerts: those that still gather alerts for their users, and new ones."""
    gather = case((settled.c.kind.in_(ABOUT_ONES_OWN), settings().mail_gather_seconds), else_=0)
    wanted = (
        select(
            settled.c.user_id,
            User.organization_id,
            settled.c.kind,
            settled.c.bundle,
            func.now() + func.make_interval(0, 0, 0, 0, 0, 0, gather),
        )
        .distinct()
        .join(User, User.id == settled.c.user_id)
        .where(settled.c.why_not.is_(None), wants_mail(settled.c.course_id))
        .order_by(settled.c.user_id)  # two resets that are settled at once must not wait for each other in a ring
    )
    return (
        insert(Mail)
        .from_select([Mail.user_id, Mail.organization_id, Mail.kind, Mail.bundle, Mail.next_try_at], wanted)
        .on_conflict_do_update(
            index_elements=[Mail.user_id, Mail.bundle],
            index_where=text("state = 'pending' AND attempts = 0"),
            set_={"user_id": Mail.user_id},  # changes nothing; but it holds the row, so nobody sends it meanwhile
        )
        .returning(Mail.id, Mail.user_id, Mail.bundle)
        .cte("mails")
    )


def _joined(settled: CTE, mails: CTE) -> CTE:
    """Which alert is in which e-mail."""
    pairs = (
        select(settled.c.id, mails.c.id)
        .join(mails, (mails.c.user_id == settled.c.user_id) & (mails.c.bundle == settled.c.bundle))
        .join(User, User.id == settled.c.user_id)
        .where(settled.c.why_not.is_(None), wants_mail(settled.c.course_id))
    )
    return insert(MailAlert).from_select([MailAlert.notification_id, MailAlert.mail_id], pairs).cte("joined")
