"""Exemptions: learners whom the resets of a course leave out, until a moment or for good."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKeyConstraint,
    Identity,
    Index,
    and_,
    func,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base
from models.people import User
from models.training import Course, Enrolment


class Exemption(Base):
    """One learner, one course. One that has ended stays: it says why the learner was left out while it was in force."""

    __tablename__ = "exemption"
    __table_args__ = (
        ForeignKeyConstraint(["course_id", "organization_id"], ["course.id", "course.organization_id"]),
        ForeignKeyConstraint(["user_id", "organization_id"], ["user.id", "user.organization_id"]),
        ForeignKeyConstraint(["made_by", "organization_id"], ["user.id", "user.organization_id"]),
        Index("uq_exemption_open", "course_id", "user_id", unique=True, postgresql_where=text("ended_at IS NULL")),
        Index(None, "user_id", "organization_id", "course_id"),
        Index(None, "course_id", "organization_id"),
        Index(None, "made_by", "organization_id"),
        CheckConstraint("length(trim(reason)) > 0", name="reason_is_given"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    organization_id: Mapped[int]
    course_id: Mapped[int]
    user_id: Mapped[int]
    reason: Mapped[str]
    until: Mapped[datetime | None]  # none: for good
    made_by: Mapped[int | None]  # none: an operator at the console
    maker: Mapped[str]
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]  # when someone ended or replaced it
    ended_by: Mapped[str | None]


def exempt_at(*moments: Any, dated: bool | None = None) -> ColumnElement[bool]:
    """Returns the condition that an enrolment's learner is exempt from its course at one of the moments.

    `dated` says whether only exemptions that have an end count, or only those for good.
    """
    kind = [] if dated is None else [Exemption.until.is_not(None) if dated else Exemption.until.is_(None)]
    return (
        select(Exemption)
        .where(
            Exemption.user_id == Enrolment.user_id,
            Exemption.course_id == Enrolment.course_id,
            or_(*map(in_force_at, moments)),
            *kind,
        )
        .correlate_except(Exemption)
        .exists()
    )


def in_force_at(moment: Any) -> ColumnElement[bool]:
    """Returns the condition that an exemption is in force at the moment."""
    return and_(
        Exemption.made_at <= moment,
        or_(Exemption.until.is_(None), Exemption.until > moment),
        or_(Exemption.ended_at.is_(None), Exemption.ended_at > moment),
    )


def exemptions_of(
    session: Session, course: Course, *, after: tuple[str, int] | None = None, limit: int | None = None
) -> list[tuple[Exemption, User, str]]:
    """Returns the exemptions from the course that are in force, by the learner's name from after the name and id
    `after`: each with its learner, and the name of who made it."""
    maker = select(User.name).where(User.id == Exemption.made_by).correlate(Exemption).scalar_subquery()
    query = (
        select(Exemption, User, func.coalesce(maker, Exemption.maker))
        .join(User, User.id == Exemption.user_id)
        .where(Exemption.course_id == course.id, in_force_at(func.now()))
        .order_by(User.name, User.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(tuple_(User.name, User.id) > after)
    return [(exemption, user, name) for exemption, user, name in session.execute(query)]
