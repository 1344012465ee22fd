"""Start what is due in the outboxes. Due times are in the database only."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.notifications import IS_PENDING, Notification
from tasks.messages import NOTIFY_LEARNERS, WORK_OUTBOXES, send_outbox


def send_due_outboxes(session: Session) -> None:
    """Publish the messages that work off what is due. Called when a reset is settled, and by `recover`."""
    from tasks.outbox.every import anything_is_due  # loads what sends, which most commands do without

    # The end of a reset sends that reset's alerts; alerts without a reset start here.
    waits = Notification.reset_id.is_(None) & IS_PENDING
    if session.scalars(select(select(1).where(waits).exists())).one():
        send_outbox(session, NOTIFY_LEARNERS)
    if anything_is_due(session):
        send_outbox(session, WORK_OUTBOXES)
