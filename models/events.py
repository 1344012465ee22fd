"""Events that make rules due, and the sources that report them by signed webhook."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, one_of
from models.sealing import HasSecret


class EventKind(StrEnum):
    """What happened."""

    INCIDENT = "incident"
    NON_COMPLIANCE = "non_compliance"
    PROCEDURE_CHANGED = "procedure_changed"


class Event(Base):
    """A reported event. Its key makes a repeated report the same event."""

    __tablename__ = "training_event"
    __table_args__ = (
        ForeignKeyConstraint(["course_id", "organization_id"], ["course.id", "course.organization_id"]),
        ForeignKeyConstraint(["group_id", "organization_id"], ["user_group.id", "user_group.organization_id"]),
        UniqueConstraint("organization_id", "reporter", "key"),
        CheckConstraint("group_id IS NULL OR user_ids IS NULL", name="group_or_persons"),
        Index(None, "course_id", "organization_id"),
        Index(None, "group_id", "organization_id"),
        Index(None, "reported_at"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    organization_id: Mapped[int]
    kind: Mapped[EventKind] = mapped_column(one_of(EventKind, "kind"))
    course_id: Mapped[int]
    group_id: Mapped[int | None]  # None: the whole course, or the persons below
    user_ids: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))  # of the persons concerned
    reason: Mapped[str]
    reporter: Mapped[str]  # user:<id>, console:<account> or source:<id>
    key: Mapped[str]  # for a webhook, the message id
    reported_at: Mapped[datetime]


class EventSource(HasSecret, Base):
    """A system that reports events by webhook, on behalf of a user."""

    __tablename__ = "event_source"
    __table_args__ = (
        ForeignKeyConstraint(["user_id", "organization_id"], ["user.id", "user.organization_id"]),
        Index(None, "organization_id"),
        Index(None, "user_id", "organization_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("uuidv7()"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    user_id: Mapped[int]
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    closed_at: Mapped[datetime | None]
