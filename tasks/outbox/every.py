"""Every outbox there is."""

from sqlalchemy.orm import Session

from models.outbox import is_due
from tasks.alerts.announce import Announcements
from tasks.alerts.mail import Mails
from tasks.certificates.documents import Certificates
from tasks.files.deletions import Deletions
from tasks.outbox.hands import Hands
from tasks.webhooks.deliver import Deliveries

OUTBOXES: tuple[type[Hands], ...] = (Mails, Deliveries, Certificates, Announcements, Deletions)


def anything_is_due(session: Session) -> bool:
    """Whether any of them has something to do."""
    return any(kind.is_on() and is_due(session, kind.outbox) for kind in OUTBOXES)
