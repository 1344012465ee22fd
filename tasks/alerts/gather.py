"""The e-mails that carry alerts: written by the same statement that settles the alerts.

Alerts to one learner that come close together share an e-mail. `tasks/alerts/mail.py` sends it.
"""

from typing import Any

from sqlalchemy import CTE, Select, String, case, cast, func, select, text
from sqlalchemy.dialects.postgresql import insert

from config.settings import settings
from models.mail import Mail, MailAlert
from models.notifications import ABOUT_ONES_OWN, Notification
from models.people import User
from models.preferences import wants_mail


def with_mails(statement: Select[Any], settled: CTE) -> Select[Any]:
    """Returns the statement, with the e-mails of the alerts that its CTE `settled` settles.

    `settled` has the columns `id`, `user_id`, `course_id` and `kind` of the alerts, their `bundle`, and `why_not`, the
    reason for which one was not sent.
    """
    return statement.add_cte(_joined(settled, _mails(settled)))


def bundle() -> Any:
    """What alerts have in common that may be in one e-mail: to learners, their kind; to admins, nothing."""
    kind = cast(Notification.kind, String)
    return case((Notification.kind.in_(ABOUT_ONES_OWN), kind), else_=kind + " " + cast(Notification.id, String))


def _mails(settled: CTE) -> CTE:
    """The e-mails of these alerts: those that still gather alerts for their users, and new ones."""
    gather = case((settled.c.kind.in_(ABOUT_ONES_OWN), settings().mail_gather_seconds), else_=0)
    wanted = (
        select(
            settled.c.user_id,
            User.organization_id,
            settled.c.kind,
            settled.c.bundle,
            func.now() + func.make_interval(0, 0, 0, 0, 0, 0, gather),
        )
        .distinct()
        .join(User, User.id == settled.c.user_id)
        .where(settled.c.why_not.is_(None), wants_mail(settled.c.course_id))
        .order_by(settled.c.user_id)  # two resets that are settled at once must not deadlock
    )
    return (
        insert(Mail)
        .from_select([Mail.user_id, Mail.organization_id, Mail.kind, Mail.bundle, Mail.next_try_at], wanted)
        .on_conflict_do_update(
            index_elements=[Mail.user_id, Mail.bundle],
            index_where=text("state = 'pending' AND attempts = 0"),
            set_={"user_id": Mail.user_id},  # changes nothing; but it holds the row, so nobody sends it meanwhile
        )
        .returning(Mail.id, Mail.user_id, Mail.bundle)
        .cte("mails")
    )


def _joined(settled: CTE, mails: CTE) -> CTE:
    """Which alert is in which e-mail."""
    pairs = (
        select(settled.c.id, mails.c.id)
        .join(mails, (mails.c.user_id == settled.c.user_id) & (mails.c.bundle == settled.c.bundle))
        .join(User, User.id == settled.c.user_id)
        .where(settled.c.why_not.is_(None), wants_mail(settled.c.course_id))
    )
    return insert(MailAlert).from_select([MailAlert.notification_id, MailAlert.mail_id], pairs).cte("joined")
