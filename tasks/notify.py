"""Send the *course assigned* alerts that the outbox holds."""

from uuid import UUID

import structlog
from sqlalchemy import case, func, select, update

from models.notifications import Notification, NotificationKind, NotificationState
from models.people import User
from models.session import changed_rows, transaction
from models.training import Enrolment
from tasks.app import app
from tasks.messages import NOTIFY_LEARNERS

BATCH = 1000

log = structlog.get_logger(__name__)


@app.task(name=NOTIFY_LEARNERS)
def notify(*, reset_id: str) -> None:
    """Put the reset's pending alerts into the inboxes of those who still want them and still have the course.

    An alert is sent or suppressed once: its row is locked and its state changed in one statement, so a second
    message for the same reset finds nothing.
    """
    while settled := send_batch(UUID(reset_id)):
        log.info("alerts_settled", reset=reset_id, alerts=settled)


def send_batch(reset_id: UUID | None) -> int:
    """Settle up to `BATCH` of the reset's pending alerts, or of those that belong to no reset. Gives how many."""
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
        (~User.active, "the user is deactivated"),
        (~User.notifications_on, "the user's notifications are off"),
        (~enrolled & (Notification.kind != NotificationKind.RULE_WAITS), "the course is no longer assigned"),
    )
    due = (
        select(Notification.id, why_not.label("why_not"))
        .join(User, User.id == Notification.user_id)
        .where(Notification.reset_id.is_not_distinct_from(reset_id), Notification.state == NotificationState.PENDING)
        .order_by(Notification.id)
        .limit(BATCH)
        .with_for_update(of=Notification, skip_locked=True)
        .cte("due")
    )
    with transaction() as session:
        return changed_rows(
            session,
            update(Notification)
            .where(Notification.id == due.c.id)
            .values(
                state=case(
                    (due.c.why_not.is_(None), NotificationState.SENT.value),
                    else_=NotificationState.SUPPRESSED.value,
                ),
                reason=due.c.why_not,
                sent_at=case((due.c.why_not.is_(None), func.now())),
            ),
        )
