"""Mark alerts as read. Not in the audit: whoever reads their own inbox does nothing to anybody."""

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from models.access import Actor
from models.notifications import Notification, NotificationState
from models.session import changed_rows


def mark_read(session: Session, actor: Actor, alert_id: int | None = None) -> int:
    """Mark one of one's own alerts as read, or all. Gives how many were not read before."""
    mine = (Notification.user_id == actor.user_id) & (Notification.state == NotificationState.SENT)
    if alert_id is not None:
        mine &= Notification.id == alert_id
    return changed_rows(
        session, update(Notification).where(mine, Notification.read_at.is_(None)).values(read_at=func.now())
    )
