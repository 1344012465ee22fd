"""What is due in the outboxes. Due times are in the database; nothing here remembers any."""

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from config.settings import settings
from models.announcements import Announcement
from models.file_deletions import FileDeletion
from models.mail import Mail, MailState
from models.notifications import Notification, NotificationState
from models.records import Certificate
from models.webhooks import DeliveryState, WebhookDelivery
from tasks.messages import (
    ANNOUNCE,
    DELETE_FILES,
    DELIVER_WEBHOOKS,
    MAKE_CERTIFICATES,
    NOTIFY_LEARNERS,
    SEND_MAIL,
    send_outbox,
)


def send_due_outboxes(session: Session) -> None:
    """Have each outbox worked off of which something is due. Called when a reset is settled, and by `recover`."""
    if _any(session, FileDeletion.next_try_at <= func.now()):
        send_outbox(session, DELETE_FILES)
    # Alerts of a reset are sent by its end; those of none by this.
    if _any(session, Notification.reset_id.is_(None) & (Notification.state == NotificationState.PENDING)):
        send_outbox(session, NOTIFY_LEARNERS)
    if _any(session, Announcement.next_try_at <= func.now()):
        send_outbox(session, ANNOUNCE)
    if _any(session, Certificate.pdf_due_at <= func.now()):
        send_outbox(session, MAKE_CERTIFICATES)
    if webhooks_are_due(session):
        send_outbox(session, DELIVER_WEBHOOKS)
    if mail_is_due(session):
        send_outbox(session, SEND_MAIL)


def mail_is_due(session: Session) -> bool:
    """Whether there is an e-mail to send now, and a server to send it by."""
    due = (Mail.state == MailState.PENDING) & (Mail.next_try_at <= func.now())
    return settings().smtp_host is not None and _any(session, due)


def webhooks_are_due(session: Session) -> bool:
    """Whether there is a webhook message to deliver now."""
    pending = WebhookDelivery.state == DeliveryState.PENDING
    return _any(session, pending & (WebhookDelivery.next_try_at <= func.now()))


def _any(session: Session, condition: ColumnElement[bool]) -> bool:
    return session.scalars(select(select(1).where(condition).exists())).one()
