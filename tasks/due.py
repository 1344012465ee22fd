"""What is due in the outboxes beside the alerts'. Due times are in the database; nothing here remembers any."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.file_deletions import FileDeletion
from tasks.messages import DELETE_FILES, send_outbox


def send_due_outboxes(session: Session) -> None:
    """Have each outbox worked off of which something is due. Called when a reset is settled, and by `recover`."""
    if session.scalars(select(select(FileDeletion).where(FileDeletion.next_try_at <= func.now()).exists())).one():
        send_outbox(session, DELETE_FILES)
