"""Alert the learners whom a reset has cleared, a few slices at a time."""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    Select,
    String,
    Uuid,
    any_,
    bindparam,
    case,
    func,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from config.settings import settings
from models.arrays import array_of
from models.notifications import Notification, NotificationState
from models.people import User
from models.preferences import wants_alert
from models.resets import ItemState, Reset, ResetItem, ResetSlice
from models.session import transaction
from models.training import NOT_ASSIGNED, Enrolment
from tasks.alerts.gather import bundle, with_mails

BATCH = 1000  # learners, about

# Not the name of a column: SQLAlchemy would set that in every table that the statement writes.
_RESET_ID = bindparam("this_reset", type_=Uuid())
# Not those of an open slice: whoever clears it must find it free. Nor of one that waits for participants.
_DUE = (
    ResetSlice.reset_id == _RESET_ID,
    ResetSlice.alerts_due,
    ResetSlice.settled_at.is_not(None),
    ResetSlice.waiting == 0,
)


def alert_learners(reset_id: UUID) -> int:
    """Write the alerts of about `BATCH` learners whom the reset has cleared into their inboxes.

    Returns in how many slices these learners are; 0 if no alert is due, or another process has the rest in hand.
    Whether a learner wants an alert is asked now, and once: it is written as sent. Someone who was unassigned since
    gets one that is suppressed, with the reason.
    """
    with transaction(durable=False) as session:  # undone by a crash, the alerts are still due
        session.execute(_BY_INDEX)
        learners = session.scalar(_NEXT, {"this_reset": reset_id})
        if learners is None:
            return 0
        values = {"this_reset": reset_id, "slices": max(1, BATCH // learners)}
        slices: int = session.scalars(_statement(by_mail=bool(settings().smtp_host)), values).one()
        return slices


# A batch is always found by index. The plan is made once a connection, often while the ledger is empty, and would read
# whole tables when it no longer is.
_BY_INDEX = select(
    *(func.set_config(f"enable_{way}", "off", true()) for way in ("seqscan", "hashjoin", "mergejoin", "bitmapscan"))
)
_NEXT = select(ResetSlice.learners).where(*_DUE).order_by(ResetSlice.number).limit(1)


def _statement(*, by_mail: bool) -> Select[Any]:
    taken = (
        select(ResetSlice.number, ResetSlice.first, ResetSlice.last)
        .where(*_DUE)
        .order_by(ResetSlice.number)
        .limit(bindparam("slices", type_=BigInteger()))
        .with_for_update(skip_locked=True)
        .cte("taken")
    )
    alerted = _alerted(taken)
    no_longer_due = (
        update(ResetSlice)
        .where(ResetSlice.reset_id == _RESET_ID, ResetSlice.number == any_(array_of(select(taken.c.number))))
        .values(alerts_due=False)
        .cte("no_longer_due")
    )
    statement = select(func.count()).select_from(taken).add_cte(alerted, no_longer_due)
    return with_mails(statement, alerted) if by_mail else statement


def _alerted(taken: CTE) -> CTE:
    cleared = (
        select(ResetItem.enrolment_id)
        .where(
            ResetItem.reset_id == _RESET_ID,
            ResetItem.enrolment_id.between(taken.c.first, taken.c.last),
            ResetItem.state == ItemState.CLEARED,
        )
        .lateral("cleared")
    )
    course = select(Reset.course_id).where(Reset.id == _RESET_ID).scalar_subquery()
    gone = Enrolment.unassigned_at.is_not(None)
    learners = (
        select(
            _RESET_ID,
            Enrolment.user_id,
            Enrolment.course_id,
            case((gone, NotificationState.SUPPRESSED.value), else_=NotificationState.SENT.value).cast(String),
            case((gone, NOT_ASSIGNED)).cast(String),
            case((~gone, func.now())),
        )
        .select_from(taken)
        .join(cleared, true())
        .join(Enrolment, Enrolment.id == cleared.c.enrolment_id)
        .join(User, User.id == Enrolment.user_id)
        .where(wants_alert(course))
        .order_by(Enrolment.user_id)  # two resets that are settled at once must not deadlock in the e-mails
    )
    columns = [
        Notification.reset_id,
        Notification.user_id,
        Notification.course_id,
        Notification.state,
        Notification.reason,
        Notification.sent_at,
    ]
    return (
        insert(Notification)
        .from_select(columns, learners)
        .on_conflict_do_nothing()  # those of an earlier run
        .returning(
            Notification.id,
            Notification.user_id,
            Notification.course_id,
            Notification.kind,
            bundle().label("bundle"),
            Notification.reason.label("why_not"),
        )
        .cte("alerted")
    )
