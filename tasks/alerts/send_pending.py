"""Settle alerts that are pending: digests of resets, and what rules announce."""

from uuid import UUID

from sqlalchemy import CTE, case, func, select, update

from config.settings import settings
from models.notifications import ABOUT_ONES_OWN, IS_PENDING, Notification, NotificationState
from models.people import User
from models.preferences import why_no_alert
from models.session import transaction
from models.training import NOT_ASSIGNED, Enrolment
from tasks.alerts.gather import bundle, with_mails

BATCH = 1000


def send_pending(reset_id: UUID | None) -> int:
    """Settle up to `BATCH` pending alerts of the reset, or of those without one. Returns how many.

    An alert is sent or suppressed once: its row is locked and its state changed in one statement.
    """
    settled = _settled(reset_id)
    statement = select(func.count()).select_from(settled)
    if settings().smtp_host:
        statement = with_mails(statement, settled)
    with transaction() as session:
        return session.scalars(statement).one()


def _settled(reset_id: UUID | None) -> CTE:
    enrolled = (
        select(Enrolment)
        .where(
            Enrolment.user_id == User.id,
            Enrolment.course_id == Notification.course_id,
            Enrolment.unassigned_at.is_(None),
        )
        .exists()
    )
    why_not = case(
        *why_no_alert(Notification.course_id),
        (Notification.kind.in_(ABOUT_ONES_OWN) & ~enrolled, NOT_ASSIGNED),
    )
    due = (
        select(Notification.id, why_not.label("why_not"))
        .join(User, User.id == Notification.user_id)
        .where(
            Notification.reset_id == reset_id if reset_id else Notification.reset_id.is_(None),
            IS_PENDING,
        )
        .order_by(Notification.id)
        .limit(BATCH)
        .with_for_update(of=Notification, skip_locked=True)
        .cte("due")
    )
    return (
        update(Notification)
        .where(Notification.id == due.c.id)
        .values(
            state=case(
                (due.c.why_not.is_(None), NotificationState.SENT.value),
                else_=NotificationState.SUPPRESSED.value,
            ),
            reason=due.c.why_not,
            sent_at=case((due.c.why_not.is_(None), func.now())),
        )
        .returning(
            Notification.id,
            Notification.user_id,
            Notification.course_id,
            Notification.kind,
            bundle().label("bundle"),
            due.c.why_not,
        )
        .cte("settled")
    )
