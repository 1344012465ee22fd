"""A user's inbox: the alerts they received."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.notifications import Notification, NotificationKind, NotificationState
from models.resets import Reset, ResetState
from models.training import Course


@dataclass(frozen=True)
class Alert:
    """One alert."""

    id: int
    kind: NotificationKind
    course_code: str
    course_external_id: str | None
    course_title: str
    reset_id: UUID | None
    reset_state: ResetState | None  # its current state
    sent_at: datetime | None
    read_at: datetime | None


def inbox_of(session: Session, user_id: int, *, before: int | None = None, limit: int) -> list[Alert]:
    """Returns up to `limit` alerts of the user, latest first, that are older than the alert `before`."""
    query = (
        select(
            Notification.id,
            Notification.kind,
            Course.code,
            Course.external_id,
            Course.title,
            Notification.reset_id,
            Reset.state,
            Notification.sent_at,
            Notification.read_at,
        )
        .join(Course, Course.id == Notification.course_id)
        .outerjoin(Reset, Reset.id == Notification.reset_id)
        .where(Notification.user_id == user_id, Notification.state == NotificationState.SENT)
        .order_by(Notification.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(Notification.id < before)
    return [Alert(*row) for row in session.execute(query)]


def unread(session: Session, user_id: int) -> int:
    """Returns how many alerts the user has not read."""
    return session.scalars(
        select(func.count()).where(
            Notification.user_id == user_id,
            Notification.state == NotificationState.SENT,
            Notification.read_at.is_(None),
        )
    ).one()
