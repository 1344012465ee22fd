"""Mark alerts as read. Not in the audit: it affects no one else."""

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from models.access import Actor
from models.notifications import Notification, NotificationState
from models.session import changed_rows


def mark_read(session: Session, actor: Actor, alert_id: int | None = None) -> int:
    """Mark one of the actor's alerts as read, or all of them. Returns how many were unread."""
    mine = (Notification.user_id == actor.user_id) & (Notification.state == NotificationState.SENT)
    if alert_id is not None:
        mine &= Notification.id == alert_id
    return changed_rows(
        session, update(Notification).where(mine, Notification.read_at.is_(None)).values(read_at=func.now())
    )
