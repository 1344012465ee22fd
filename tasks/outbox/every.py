"""The list of all outboxes."""

from sqlalchemy.orm import Session

from models.outbox import is_due
from tasks.alerts.announce import Announcements
from tasks.alerts.mail import Mails
from tasks.certificates.documents import Certificates
from tasks.evidence.write import Evidence
from tasks.files.deletions import Deletions
from tasks.outbox.handler import Handler
from tasks.participants.ask import Participants
from tasks.webhooks.deliver import Deliveries

OUTBOXES: tuple[type[Handler], ...] = (
    Mails,
    Deliveries,
    Certificates,
    Announcements,
    Deletions,
    Participants,
    Evidence,
)


def anything_is_due(session: Session) -> bool:
    """Returns whether any outbox that is switched on has a due item."""
    return any(kind.is_on() and is_due(session, kind.outbox) for kind in OUTBOXES)
