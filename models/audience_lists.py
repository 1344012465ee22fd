"""Audience lists: learners of a course by name, from a file or a selection, and the lines that named none.

A plan for a few named users carries them itself. A list of up to 100,000 is rows: the plan, and the reset that comes
of it, have its id. See `docs/decisions/0112-lists-are-rows.md`.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, Select, delete, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, one_of
from models.session import changed_rows

LIST_LIFE = timedelta(days=1)
"""How long a list can be planned with and confirmed. Then it is deleted, unless a reset came of it."""


class LineProblem(StrEnum):
    """Why a line names no learner of the list."""

    UNKNOWN = "unknown"  # there is no such user
    UNASSIGNED = "unassigned"  # the course is not assigned to the user
    DOUBLED = "doubled"  # an earlier line names the same user


class AudienceList(Base):
    """A list of learners that someone made for one reset of one course."""

    __tablename__ = "audience_list"
    __table_args__ = (
        ForeignKeyConstraint(["course_id", "organization_id"], ["course.id", "course.organization_id"]),
        ForeignKeyConstraint(["made_by", "organization_id"], ["user.id", "user.organization_id"]),
        Index(None, "course_id", "organization_id"),
        Index(None, "made_by", "organization_id"),
        Index("ix_audience_list_unconfirmed", "created_at", postgresql_where=text("confirmed_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("uuidv7()"))
    organization_id: Mapped[int]
    course_id: Mapped[int]
    made_by: Mapped[int | None]  # none: an operator at the console
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    confirmed_at: Mapped[datetime | None]  # when a reset was requested with it: once at most
    lines: Mapped[int] = mapped_column(server_default="0")
    learners: Mapped[int] = mapped_column(server_default="0")
    unknown: Mapped[int] = mapped_column(server_default="0")
    unassigned: Mapped[int] = mapped_column(server_default="0")
    doubled: Mapped[int] = mapped_column(server_default="0")

    @property
    def left_out(self) -> int:
        """How many lines name no learner."""
        return self.unknown + self.unassigned + self.doubled


class AudienceListLearner(Base):
    """A learner of a list. Without foreign keys, which would be checked for each of 100,000."""

    __tablename__ = "audience_list_learner"

    list_id: Mapped[UUID] = mapped_column(primary_key=True)
    enrolment_id: Mapped[int] = mapped_column(primary_key=True)
    due_at: Mapped[datetime | None]  # the new due date; none: the one of the reset


class AudienceListLine(Base):
    """A line that names no learner of the list, and why."""

    __tablename__ = "audience_list_line"

    list_id: Mapped[UUID] = mapped_column(ForeignKey("audience_list.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]  # as typed: an address, or `external:` and an external id
    problem: Mapped[LineProblem] = mapped_column(one_of(LineProblem, "problem"))
    first: Mapped[int | None]  # of a duplicate: the earlier line


def enrolments_in(list_id: UUID | None) -> Select[int]:
    """Returns the query for the enrolments of a list."""
    return select(AudienceListLearner.enrolment_id).where(AudienceListLearner.list_id == list_id)


def lines_left_out(session: Session, list_id: UUID, *, after: int = 0, limit: int) -> list[AudienceListLine]:
    """Returns up to `limit` lines of the list that name no learner, after line `after`."""
    query = select(AudienceListLine).where(AudienceListLine.list_id == list_id, AudienceListLine.line > after)
    return list(session.scalars(query.order_by(AudienceListLine.line).limit(limit)))


def delete_rows_of(session: Session, list_id: UUID, most: int) -> int:
    """Delete up to `most` learners and lines of a list. Returns how many; fewer than `most` if none is left."""
    gone = 0
    for kind, key in (
        (AudienceListLearner, AudienceListLearner.enrolment_id),
        (AudienceListLine, AudienceListLine.line),
    ):
        some = select(key).where(kind.list_id == list_id).limit(most - gone).cte("some")
        gone += changed_rows(session, delete(kind).where(kind.list_id == list_id, key == some.c[key.key]))
    return gone
