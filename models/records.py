"""What learners leave in a course: the record kinds, each declared here and nowhere else.

Clearing, the preview's counts, a reset's report and the tests derive from these classes. A team adds a kind of its own
with a class like these in a module that `RECOURSE_RECORD_KINDS` names, and a migration for its table.
"""

from datetime import datetime
from decimal import Decimal
from importlib import import_module
from typing import ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, Numeric, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from config.settings import settings
from models.base import Base


class LearnerRecord(Base):
    """A row that belongs to a registration and goes when the learner's progress is reset.

    A kind gives `labels` (one, many) and its columns. Its index must lead with `registration`: that is how a reset
    finds its rows.
    """

    __abstract__ = True
    labels: ClassVar[tuple[str, str]]

    registration: Mapped[UUID] = mapped_column(ForeignKey("enrolment.registration"), sort_order=-1)

    @classmethod
    def kind(cls) -> str:
        """The kind's name in reports and in the API: its table's."""
        return str(cls.__tablename__)


class LessonProgress(LearnerRecord):
    """How far a learner is in one lesson."""

    __tablename__ = "lesson_progress"
    __table_args__ = (CheckConstraint("percent BETWEEN 0 AND 100", name="percent"),)
    labels = ("lesson progress", "lesson progress records")

    registration: Mapped[UUID] = mapped_column(ForeignKey("enrolment.registration"), primary_key=True)
    activity_id: Mapped[int] = mapped_column(ForeignKey("activity.id"), primary_key=True, index=True)
    percent: Mapped[Decimal] = mapped_column(Numeric(5, 2))
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PracticalAssessment(LearnerRecord):
    """A learner's result in a practical assessment."""

    __tablename__ = "practical_assessment"
    __table_args__ = (
        UniqueConstraint("registration", "activity_id", "attempt"),
        CheckConstraint("score BETWEEN 0 AND 100", name="score"),
    )
    labels = ("practical assessment", "practical assessments")

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    activity_id: Mapped[int] = mapped_column(ForeignKey("activity.id"), index=True)
    attempt: Mapped[int] = mapped_column(server_default="1")
    score: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    assessed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class DiscussionPost(LearnerRecord):
    """What a learner wrote in a course's discussion."""

    __tablename__ = "discussion_post"
    __table_args__ = (Index(None, "registration"),)
    labels = ("discussion post", "discussion posts")

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    activity_id: Mapped[int] = mapped_column(ForeignKey("activity.id"), index=True)
    body: Mapped[str]
    posted_at: Mapped[datetime] = mapped_column(server_default=func.now())


class AssignmentSubmission(LearnerRecord):
    """What a learner handed in for an assignment, and its mark."""

    __tablename__ = "assignment_submission"
    __table_args__ = (
        UniqueConstraint("registration", "activity_id", "attempt"),
        CheckConstraint("score BETWEEN 0 AND 100", name="score"),
    )
    labels = ("assignment submission", "assignment submissions")

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    activity_id: Mapped[int] = mapped_column(ForeignKey("activity.id"), index=True)
    attempt: Mapped[int] = mapped_column(server_default="1")
    body: Mapped[str] = mapped_column(server_default="")
    score: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    submitted_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Completion(LearnerRecord):
    """That a learner completed the course, and when."""

    __tablename__ = "completion"
    labels = ("completion", "completions")

    registration: Mapped[UUID] = mapped_column(ForeignKey("enrolment.registration"), primary_key=True)
    completed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Certificate(LearnerRecord):
    """The certificate of one completion."""

    __tablename__ = "certificate"
    __table_args__ = (
        Index("ix_certificate_due", "organization_id", "pdf_due_at", postgresql_where=text("pdf_due_at IS NOT NULL")),
        Index(
            "ix_certificate_given_up",
            "organization_id",
            postgresql_where=text("pdf_due_at IS NULL AND pdf_error IS NOT NULL"),
        ),
        CheckConstraint("pdf_due_at IS NULL OR organization_id IS NOT NULL", name="due_in_its_organizations_turn"),
        CheckConstraint("pdf_key IS NULL OR pdf_due_at IS NULL", name="made_once"),
    )
    labels = ("certificate", "certificates")

    registration: Mapped[UUID] = mapped_column(ForeignKey("enrolment.registration"), primary_key=True)
    serial: Mapped[str] = mapped_column(unique=True)
    issued_at: Mapped[datetime] = mapped_column(server_default=func.now())
    organization_id: Mapped[int | None]  # the enrolment's, copied for one with a document to make: they take turns
    # When its document is to be made (or tried again); none: it is made, given up, or was imported.
    pdf_due_at: Mapped[datetime | None]
    pdf_attempts: Mapped[int] = mapped_column(server_default="0")
    pdf_error: Mapped[str | None]  # of the last try
    pdf_key: Mapped[str | None] = mapped_column(unique=True)  # of the document in the storage


def record_kinds() -> list[type[LearnerRecord]]:
    """Every record kind there is, a team's own included, in the order of their declaration."""
    for module in settings().record_kinds:
        import_module(module)
    return LearnerRecord.__subclasses__()


def kind_labels() -> dict[str, str]:
    """What people call the rows of each record kind, as a heading."""
    return {kind.kind(): kind.labels[1].capitalize() for kind in record_kinds()}
