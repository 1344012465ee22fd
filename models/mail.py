"""E-mails: their state, attempts, next attempt, and the alerts they carry."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    case,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, one_of
from models.notifications import Notification, NotificationKind
from models.outbox import Outbox


class MailState(StrEnum):
    """The state of an e-mail."""

    PENDING = "pending"  # due at `next_try_at`
    SENT = "sent"  # the mail server accepted it; it is never sent again
    SUPPRESSED = "suppressed"  # no longer wanted or relevant when it was due; `reason` says why
    FAILED = "failed"  # rejected or given up; `reason` says why


class Mail(Base):
    """An e-mail to one user. Its address and text are made when it is sent, and not stored."""

    __tablename__ = "mail"
    __table_args__ = (
        ForeignKeyConstraint(["user_id", "organization_id"], ["user.id", "user.organization_id"]),
        Index(None, "user_id", "organization_id"),
        Index(None, "created_at"),
        Index("ix_mail_due", "organization_id", "next_try_at", postgresql_where=text("state = 'pending'")),
        Index("ix_mail_failed", "organization_id", postgresql_where=text("state = 'failed'")),
        Index("ix_mail_failed_at", "tried_at", postgresql_where=text("state = 'failed'")),
        Index(
            "uq_mail_gathering",
            "user_id",
            "bundle",
            unique=True,
            postgresql_where=text("state = 'pending' AND attempts = 0"),
        ),
        CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name="sent_has_its_moment"),
        CheckConstraint("(state IN ('suppressed', 'failed')) = (reason IS NOT NULL)", name="not_sent_says_why"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("uuidv7()"))  # also its Message-ID
    user_id: Mapped[int]
    organization_id: Mapped[int]  # the user's: organizations take turns
    kind: Mapped[NotificationKind] = mapped_column(one_of(NotificationKind, "kind"))
    bundle: Mapped[str]  # until the first attempt, alerts of the same bundle join it
    state: Mapped[MailState] = mapped_column(one_of(MailState, "state"), server_default=MailState.PENDING.value)
    reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    next_try_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(server_default="0")
    tried_at: Mapped[datetime | None]  # start of the last attempt
    begun_at: Mapped[datetime | None]  # the same, while its outcome is not known
    unsure: Mapped[int] = mapped_column(server_default="0")  # attempts without a known outcome, so a repeat is possible
    error: Mapped[str | None]  # of the last attempt
    sent_at: Mapped[datetime | None]


MAILS = Outbox(
    Mail,
    turn=Mail.organization_id,
    due_at=Mail.next_try_at,
    attempts=Mail.attempts,
    waiting=Mail.state == literal_column("'pending'"),
    given_up=Mail.state == literal_column("'failed'"),
    begun={
        "tried_at": func.now(),
        "begun_at": func.now(),
        # The process of the previous attempt died before it stored the outcome.
        "unsure": Mail.unsure + case((Mail.begun_at.is_not(None), 1), else_=0),
    },
    tried_at=Mail.tried_at,
)


class MailAlert(Base):
    """The e-mail that carries an alert, at most one."""

    __tablename__ = "mail_alert"
    __table_args__ = (Index(None, "mail_id"),)

    notification_id: Mapped[int] = mapped_column(ForeignKey("notification.id", ondelete="CASCADE"), primary_key=True)
    mail_id: Mapped[UUID] = mapped_column(ForeignKey("mail.id", ondelete="CASCADE"))


@dataclass(frozen=True)
class MailFigures:
    """The number of a reset's e-mails in each state."""

    pending: int
    retried: int  # pending after a failed attempt
    sent: int
    suppressed: int
    failed: int
    maybe_repeated: int  # sent after an attempt without a known outcome: may have arrived twice, with one Message-ID


NO_MAILS = MailFigures(0, 0, 0, 0, 0, 0)


def mails_of(session: Session, reset_id: UUID) -> MailFigures:
    """Returns the numbers of the e-mails that carry the reset's alerts. They do not affect the reset's state."""
    mine = (
        select(MailAlert.mail_id)
        .join(Notification, Notification.id == MailAlert.notification_id)
        .where(Notification.reset_id == reset_id)
    )
    pending, sent = Mail.state == MailState.PENDING, Mail.state == MailState.SENT
    row = session.execute(
        select(
            func.count().filter(pending),
            func.count().filter(pending, Mail.attempts > 0),
            func.count().filter(sent),
            func.count().filter(Mail.state == MailState.SUPPRESSED),
            func.count().filter(Mail.state == MailState.FAILED),
            func.count().filter(sent, Mail.unsure > 0),
        ).where(Mail.id.in_(mine))
    ).one()
    return MailFigures(*row)
