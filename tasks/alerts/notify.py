"""Put alerts into the inboxes, and into the e-mails that carry them."""

from uuid import UUID

from config.log import logger
from models.people import weight_of
from models.resets import Reset
from models.session import transaction
from tasks.alerts.alert_learners import alert_learners
from tasks.alerts.send_pending import send_pending
from tasks.app import app
from tasks.messages import NOTIFY_LEARNERS, send_notify
from tasks.outbox.due import send_due_outboxes

BATCHES_A_TURN = 5  # of about a thousand learners each

log = logger(__name__)


@app.task(name=NOTIFY_LEARNERS)
def notify(*, reset_id: str | None = None) -> None:
    """Alert the learners whom the reset has cleared, and send its digest; without a reset, the alerts that have none.

    After some batches, more of them for an organization of more weight, it sends itself again, behind those of others.
    It may come any number of times, and run several times at once: each finds what no other has in hand. The statement
    that settles alerts also writes the e-mails that are wanted; `tasks/alerts/mail.py` sends those, and what becomes of
    them changes nothing here. Nothing here waits for another server.
    """
    reset = UUID(reset_id) if reset_id else None
    learners, left = _alert(reset) if reset else (0, False)
    others = 0
    while some := send_pending(reset):
        others += some
    log.info("alerts_settled", reset=reset_id, learners=learners, others=others)
    with transaction() as session:
        if reset and left:
            send_notify(session, session.get_one(Reset, reset), once=True)
        send_due_outboxes(session)


def _alert(reset: UUID) -> tuple[int, bool]:
    """Alert learners of the reset for one turn. Returns in how many slices they are, and whether there may be more."""
    with transaction() as session:
        found = session.get(Reset, reset)
        turn = BATCHES_A_TURN * weight_of(session, found.organization_id) if found else 0
    slices = 0
    for _ in range(turn):
        some = alert_learners(reset)
        if not some:
            return slices, False
        slices += some
    return slices, bool(turn)
