"""What learners leave in a course: the record kinds, each declared here and nowhere else.

Clearing, the preview's counts, a reset's report and the tests derive from these classes. A team adds a kind of its own
with a class like these in a module that `RECOURSE_RECORD_KINDS` names, and a migration for its table.
"""

from datetime import datetime
from decimal import Decimal
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from typing import ClassVar
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Connection,
    ForeignKey,
    Identity,
    Index,
    Numeric,
    UniqueConstraint,
    func,
    inspect,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from config.settings import settings
from models.base import Base


class LearnerRecord(Base):
    """A row that belongs to a registration and goes when the learner's progress is reset.

    A kind gives `labels` (one, many) and its columns. Its index must lead with `registration`: that is how a reset
    finds its rows. Its migration must fence its table, with `SELECT fence('its_table')`: so PostgreSQL refuses a row
    under a registration that has ended, and a reset that leaves a row behind.
    """

    __abstract__ = True
    labels: ClassVar[tuple[str, str]]

    registration: Mapped[UUID] = mapped_column(sort_order=-1)

    @classmethod
    def kind(cls) -> str:
        """The kind's name in reports and in the API: its table's."""
        return str(cls.__tablename__)


class LessonProgress(LearnerRecord):
    """How far a learner is in one lesson."""

    __tablename__ = "lesson_progress"
    __table_args__ = (CheckConstraint("percent BETWEEN 0 AND 100", name="percent"),)
    labels = ("lesson progress", "lesson progress records")

    registration: Mapped[UUID] = mapped_column(primary_key=True)
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
    __table_args__ = (CheckConstraint("score BETWEEN 0 AND 100", name="score"),)
    labels = ("completion", "completions")

    registration: Mapped[UUID] = mapped_column(primary_key=True)
    completed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    score: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))  # of the whole course, as another system reported it


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
        Index(
            "ix_certificate_given_up_at",
            "pdf_tried_at",
            postgresql_where=text("pdf_due_at IS NULL AND pdf_error IS NOT NULL"),
        ),
        CheckConstraint("pdf_due_at IS NULL OR organization_id IS NOT NULL", name="due_in_its_organizations_turn"),
        CheckConstraint("pdf_key IS NULL OR pdf_due_at IS NULL", name="made_once"),
    )
    labels = ("certificate", "certificates")

    registration: Mapped[UUID] = mapped_column(primary_key=True)
    serial: Mapped[str] = mapped_column(unique=True)
    issued_at: Mapped[datetime] = mapped_column(server_default=func.now())
    organization_id: Mapped[int | None]  # the enrolment's, copied for one with a document to make: they take turns
    # When its document is to be made (or tried again); none: it is made, given up, or was imported.
    pdf_due_at: Mapped[datetime | None]
    pdf_attempts: Mapped[int] = mapped_column(server_default="0")
    pdf_tried_at: Mapped[datetime | None]
    pdf_error: Mapped[str | None]  # of the last try
    pdf_key: Mapped[str | None] = mapped_column(unique=True)  # of the document in the storage


class RecordKindUnfitError(Exception):
    """A record kind is declared in a way in which no reset could be done. Its words say which, and what to do."""


def record_kinds() -> list[type[LearnerRecord]]:
    """Every record kind there is, a team's own included, in the order of their declaration.

    Raises `RecordKindUnfitError` for a module that cannot be imported.
    """
    for module in settings().record_kinds:
        try:
            import_module(module)
        except Exception as error:
            raise RecordKindUnfitError(
                f"RECOURSE_RECORD_KINDS names {module}, which cannot be imported ({type(error).__name__}: {error}). "
                "Put it on the PYTHONPATH and mend it, or take it out of the setting."
            ) from error
    return _below(LearnerRecord)


def _below(base: type[LearnerRecord]) -> list[type[LearnerRecord]]:
    """The kinds that derive from it, also by a base that several kinds of a team's share."""
    found: list[type[LearnerRecord]] = []
    for kind in base.__subclasses__():
        if not kind.__dict__.get("__abstract__"):
            found.append(kind)
        found += _below(kind)
    return found


def in_order_of_deletion() -> list[type[LearnerRecord]]:
    """Every record kind, what refers to another one before it.

    Raises `RecordKindUnfitError` if kinds refer to each other in a cycle.
    """
    kinds = {kind.kind(): kind for kind in record_kinds()}
    before: dict[str, set[str]] = {name: set() for name in kinds}
    for name, kind in kinds.items():
        for target in {key.target_fullname.rpartition(".")[0] for key in kind.__table__.foreign_keys}:
            if target in kinds and target != name:  # within a table, one statement deletes all
                before[target].add(name)
    try:
        return [kinds[name] for name in TopologicalSorter(before).static_order()]
    except CycleError as error:
        cycle = " → ".join(error.args[1])
        raise RecordKindUnfitError(
            f"The record kinds {cycle} refer to each other, so none of them can be deleted first. "
            "Take one of these foreign keys away."
        ) from None


def check_declarations() -> None:
    """Raises `RecordKindUnfitError` for a kind that could not be shown, or not be deleted."""
    for kind in in_order_of_deletion():
        labels = getattr(kind, "labels", None)
        if (
            not isinstance(labels, tuple)
            or len(labels) != 2
            or not all(isinstance(label, str) and label.strip() for label in labels)
        ):
            raise RecordKindUnfitError(
                f"The record kind {_whose(kind)} has no labels for one and for many. "
                f'Give it: labels = ("{kind.kind().replace("_", " ")}", "{kind.kind().replace("_", " ")}s").'
            )


def check_tables(connection: Connection) -> None:
    """Raises `RecordKindUnfitError` where the database would not let a kind be counted, or be deleted in its turn."""
    order = [kind.kind() for kind in in_order_of_deletion()]
    there = inspect(connection)
    for kind in record_kinds():
        if kind.__module__.startswith("models."):  # whose tables are the migrations' business
            continue
        if not there.has_table(kind.kind()):
            raise RecordKindUnfitError(
                f"The record kind {_whose(kind)} has no table {kind.kind()} in the database. Make it, by a migration "
                "of your own, or take its module out of RECOURSE_RECORD_KINDS."
            )
        columns = {column["name"] for column in there.get_columns(kind.kind())}
        if missing := [column.name for column in kind.__table__.columns if column.name not in columns]:
            raise RecordKindUnfitError(
                f"The table of the record kind {_whose(kind)} has no column {missing[0]}. "
                "Add it, or take it out of the class."
            )
        if not connection.scalar(_IS_FENCED, {"kind": kind.kind()}):
            raise RecordKindUnfitError(
                f"The table of the record kind {_whose(kind)} is not fenced, so an old tab could bring back what a "
                f"reset has removed. Run, as the owner of the tables: SELECT fence('{kind.kind()}')"
            )
    for table, target in connection.execute(_HOLDERS, {"kinds": order}):
        if table not in order:
            raise RecordKindUnfitError(
                f"The table {table} refers to the record kind {target} and would keep its rows from being deleted. "
                "Make it a record kind too, or its foreign key ON DELETE CASCADE."
            )
        if order.index(table) > order.index(target):
            raise RecordKindUnfitError(
                f"In the database, {table} refers to {target}, and its class does not say so. Add the foreign key to "
                "the class, so that it is deleted first."
            )


# By the triggers, or by a foreign key to the registration, which does the same, row by row.
_IS_FENCED = text("""
    SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = CAST(:kind AS regclass)
                   AND tgname = 'registration_is_open_on_insert')
        OR EXISTS (SELECT FROM pg_constraint WHERE conrelid = CAST(:kind AS regclass)
                   AND contype = 'f' AND confrelid = 'enrolment'::regclass)
""")

# Foreign keys that stop a deletion: NO ACTION and RESTRICT.
_HOLDERS = text("""
    SELECT DISTINCT holder.relname, target.relname FROM pg_constraint
    JOIN pg_class holder ON holder.oid = conrelid JOIN pg_class target ON target.oid = confrelid
    WHERE contype = 'f' AND confdeltype IN ('a', 'r') AND conrelid <> confrelid
      AND target.relname = ANY (:kinds) AND pg_table_is_visible(target.oid)
    ORDER BY 1, 2
""")


def _whose(kind: type[LearnerRecord]) -> str:
    return f"{kind.__name__} ({kind.__module__})"


def kind_labels() -> dict[str, str]:
    """What people call the rows of each record kind, as a heading."""
    return {kind.kind(): kind.labels[1].capitalize() for kind in record_kinds()}
