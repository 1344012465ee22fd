"""Put alerts into the inboxes, and into the e-mails that carry them."""

from uuid import UUID

import structlog

from models.session import transaction
from tasks.alerts.alert_learners import alert_learners
from tasks.alerts.send_pending import send_pending
from tasks.app import app
from tasks.messages import NOTIFY_LEARNERS
from tasks.outbox.due import send_due_outboxes

log = structlog.get_logger(__name__)


@app.task(name=NOTIFY_LEARNERS)
def notify(*, reset_id: str | None = None) -> None:
    """Alert the learners whom the reset has cleared, and send its digest; without a reset, the alerts that have none.

    It may come any number of times, and run several times at once: each finds what no other has in hand. The statement
    that settles alerts also writes the e-mails that are wanted; `tasks/alerts/mail.py` sends those, and what becomes of
    them changes nothing here. Nothing here waits for anybody outside the house.
    """
    reset = UUID(reset_id) if reset_id else None
    learners = 0
    while reset and (some := alert_learners(reset)):
        learners += some
    others = 0
    while some := send_pending(reset):
        others += some
    log.info("alerts_settled", reset=reset_id, learners=learners, others=others)
    with transaction() as session:
        send_due_outboxes(session)
