"""A user's inbox: the alerts that reached them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from models.notifications import Notification, NotificationKind, NotificationState
from models.session import changed_rows
from models.training import Course


@dataclass(frozen=True)
class Alert:
    """One alert."""

    id: int
    kind: NotificationKind
    course_code: str
    course_title: str
    reset_id: UUID | None
    sent_at: datetime | None
    read_at: datetime | None


def inbox_of(session: Session, user_id: int, *, before: int | None = None, limit: int) -> list[Alert]:
    """The user's alerts, latest first, from before the one with the id `before`."""
    query = (
        select(
            Notification.id,
            Notification.kind,
            Course.code,
            Course.title,
            Notification.reset_id,
            Notification.sent_at,
            Notification.read_at,
        )
        .join(Course, Course.id == Notification.course_id)
        .where(Notification.user_id == user_id, Notification.state == NotificationState.SENT)
        .order_by(Notification.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(Notification.id < before)
    return [Alert(*row) for row in session.execute(query)]


def unread(session: Session, user_id: int) -> int:
    """How many alerts the user has not read."""
    return session.scalars(
        select(func.count()).where(
            Notification.user_id == user_id,
            Notification.state == NotificationState.SENT,
            Notification.read_at.is_(None),
        )
    ).one()


def mark_read(session: Session, user_id: int, alert_id: int | None = None) -> int:
    """Mark one of the user's alerts as read, or all. Gives how many were not read before."""
    mine = (Notification.user_id == user_id) & (Notification.state == NotificationState.SENT)
    if alert_id is not None:
        mine &= Notification.id == alert_id
    return changed_rows(
        session, update(Notification).where(mine, Notification.read_at.is_(None)).values(read_at=func.now())
    )
