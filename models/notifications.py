"""The notification outbox: alerts that are due, sent, or will not be sent."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, func, literal_column, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, one_of


class NotificationKind(StrEnum):
    """What an alert is about."""

    COURSE_ASSIGNED = "course_assigned"  # to a learner: the course is to be done (again)
    RESET_DIGEST = "reset_digest"  # to whoever asked for a reset: what came of it
    RETRAINING_AHEAD = "retraining_ahead"  # to a learner: a rule is going to reset the course soon
    RULE_WAITS = "rule_waits"  # to the owner of a retraining rule: it waits for them


ABOUT_ONES_OWN = (NotificationKind.COURSE_ASSIGNED, NotificationKind.RETRAINING_AHEAD)
"""To learners, about a course that they have: of no use to who has it no more."""


class NotificationState(StrEnum):
    """What became of an alert."""

    PENDING = "pending"
    SENT = "sent"  # in the user's inbox
    SUPPRESSED = "suppressed"  # not wanted or not apt any more at the time of sending; `reason` says why


class Notification(Base):
    """An alert to one user about one course: of one kind at most one a reset, held to that by the database."""

    __tablename__ = "notification"
    __table_args__ = (
        UniqueConstraint("reset_id", "user_id", "kind"),
        Index(
            "uq_notification_of_occurrence",
            "occurrence_id",
            "user_id",
            "kind",
            unique=True,
            postgresql_where=text("occurrence_id IS NOT NULL"),
        ),
        Index(None, "user_id", "id"),  # an inbox, latest first
        Index(None, "created_at"),
        Index("ix_notification_pending", "reset_id", "id", postgresql_where=text("state = 'pending'")),
        CheckConstraint("reset_id IS NOT NULL OR kind IN ('retraining_ahead', 'rule_waits')", name="reset_is_named"),
        CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name="sent_has_its_moment"),
        CheckConstraint("(state = 'suppressed') = (reason IS NOT NULL)", name="suppressed_says_why"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    kind: Mapped[NotificationKind] = mapped_column(
        one_of(NotificationKind, "kind"), server_default=NotificationKind.COURSE_ASSIGNED.value
    )
    reset_id: Mapped[UUID | None] = mapped_column(ForeignKey("reset.id"))
    occurrence_id: Mapped[int | None] = mapped_column(
        ForeignKey("occurrence.id", ondelete="SET NULL")  # of a retraining rule; its history goes by its own age
    )
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    course_id: Mapped[int]  # without a foreign key: courses are never deleted, and a large reset writes many of these
    state: Mapped[NotificationState] = mapped_column(
        one_of(NotificationState, "state"), server_default=NotificationState.PENDING.value
    )
    reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    sent_at: Mapped[datetime | None]
    read_at: Mapped[datetime | None]  # when the user marked it as read


IS_PENDING = Notification.state == literal_column("'pending'")
"""Written out: with a parameter, a prepared statement could not use the index of what is pending."""
