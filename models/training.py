"""Courses, their activities, and who is enrolled."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    SmallInteger,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from config.languages.stored import stored
from models.base import Base, Xid8, external_id_index, one_of
from models.external_ids import is_named


class ActivityKind(StrEnum):
    """What a learner does in a course."""

    LESSON = "lesson"
    PRACTICAL_ASSESSMENT = "practical_assessment"
    DISCUSSION = "discussion"
    ASSIGNMENT = "assignment"


class EnrolmentState(StrEnum):
    """How far a learner has come."""

    ASSIGNED = "assigned"  # nothing done yet
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


class Course(Base):
    """A training course of an organization."""

    __tablename__ = "course"
    __table_args__ = (
        UniqueConstraint("organization_id", "code"),
        UniqueConstraint("id", "organization_id"),
        external_id_index("course"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    external_id: Mapped[str | None]  # the platform's own id; stays if the code changes
    code: Mapped[str]
    title: Mapped[str]
    certificates_on: Mapped[bool] = mapped_column(server_default=text("false"))

    @classmethod
    def is_named(cls, name: str) -> ColumnElement[bool]:
        """Returns the condition that a course has this code, or this external id after `external:`."""
        return is_named(name, cls.code, cls.external_id)


class Activity(Base):
    """One step of a course."""

    __tablename__ = "activity"
    __table_args__ = (UniqueConstraint("course_id", "reference"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id"))
    kind: Mapped[ActivityKind] = mapped_column(one_of(ActivityKind, "kind"))
    reference: Mapped[str]  # the name that the course's author or an import gave it
    title: Mapped[str]


ENDED_AT = "coalesce(unassigned_at, clock_timestamp())"
"""When an enrolment ends that is unassigned now, in SQL; one that has ended keeps its moment. The transaction may have
begun before a plan that did not see this, so its own time would be too early."""

NOT_ASSIGNED = stored("the course is no longer assigned")
"""Why something is not done for an enrolment that has ended."""


class Enrolment(Base):
    """A course assigned to a user.

    `registration` is the UUID under which the learner's records are written, as in xAPI (`context.registration`) and
    cmi5 (section 8.1.2): a retake is a new registration. A reset gives a new one. The fence, triggers on this table and
    on those of the records, refuses a record that still carries the old one, and a reset that leaves one behind.
    """

    __tablename__ = "enrolment"
    __table_args__ = (
        ForeignKeyConstraint(["user_id", "organization_id"], ["user.id", "user.organization_id"]),
        ForeignKeyConstraint(["course_id", "organization_id"], ["course.id", "course.organization_id"]),
        UniqueConstraint("user_id", "organization_id", "course_id"),
        Index(None, "course_id", "organization_id", "state"),
        # How rolling rules find whose completion comes due.
        Index(
            "ix_enrolment_completed",
            "course_id",
            "completed_at",
            postgresql_where=text("completed_at IS NOT NULL AND unassigned_at IS NULL"),
        ),
        CheckConstraint("progress BETWEEN 0 AND 100", name="progress_is_percent"),
        CheckConstraint("state <> 'assigned' OR progress = 0", name="assigned_means_nothing_done"),
        CheckConstraint("(state = 'completed') = (completed_at IS NOT NULL)", name="completed_has_its_moment"),
        CheckConstraint("state <> 'completed' OR progress = 100", name="completed_means_all_done"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    organization_id: Mapped[int]
    user_id: Mapped[int]
    course_id: Mapped[int]
    # Version 7 keeps the registrations of one slice next to each other in the records' indexes.
    registration: Mapped[UUID] = mapped_column(unique=True, server_default=text("uuidv7()"))
    state: Mapped[EnrolmentState] = mapped_column(
        one_of(EnrolmentState, "state"), server_default=EnrolmentState.ASSIGNED.value
    )
    progress: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    assigned_at: Mapped[datetime] = mapped_column(server_default=func.now())
    unassigned_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    reset_at: Mapped[datetime | None]  # the last time; what is dated before that is history that no import brings back
    # The transactions that assigned it, last, that completed it, and that gave it its registration: what a preview or a
    # request could see of them is in its snapshot. The database itself writes these, whoever makes the change.
    assigned_xid: Mapped[str] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"))
    completed_xid: Mapped[str] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"))
    registered_xid: Mapped[str] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"))
    due_at: Mapped[datetime | None]

    @classmethod
    def is_due(cls, at: ColumnElement[datetime]) -> ColumnElement[bool]:
        """Returns the condition that the due date has passed at that moment, whether or not the course is completed."""
        return cls.due_at.is_not(None) & (cls.due_at < at)

    @classmethod
    def is_overdue(cls, at: ColumnElement[datetime]) -> ColumnElement[bool]:
        """Returns the condition that the due date has passed at that moment without a completion."""
        return cls.is_due(at) & (cls.state != EnrolmentState.COMPLETED)
