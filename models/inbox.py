"""A user's inbox: the alerts they received."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.notifications import Notification, NotificationKind, NotificationState
from models.resets import Reset, ResetState
from models.retraining import Occurrence, Rule
from models.training import Course, Enrolment, EnrolmentState


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
    reason: str | None  # of the reset, or of the rule
    due_at: datetime | None  # the course's due date now, if it is assigned to the user and not completed
    begins_at: datetime | None  # when a rule resets the course


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
            func.coalesce(Reset.reason, Rule.reason),
            Enrolment.due_at,
            Occurrence.due_at,
        )
        .join(Course, Course.id == Notification.course_id)
        .outerjoin(Reset, Reset.id == Notification.reset_id)
        .outerjoin(Occurrence, Occurrence.id == Notification.occurrence_id)
        .outerjoin(Rule, Rule.id == Occurrence.rule_id)
        .outerjoin(
            Enrolment,
            (Enrolment.user_id == Notification.user_id)
            & (Enrolment.course_id == Notification.course_id)
            & (Enrolment.state != EnrolmentState.COMPLETED)
            & Enrolment.unassigned_at.is_(None),
        )
        .where(Notification.user_id == user_id, Notification.state == NotificationState.SENT)
        .order_by(Notification.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(Notification.id < before)
    return [Alert(*tuple(row)) for row in session.execute(query)]


def unread(session: Session, user_id: int) -> int:
    """Returns how many alerts the user has not read."""
    return session.scalars(
        select(func.count()).where(
            Notification.user_id == user_id,
            Notification.state == NotificationState.SENT,
            Notification.read_at.is_(None),
        )
    ).one()
