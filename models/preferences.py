"""Users' choices of alerts for single courses. `User` has the choices for all courses."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, ForeignKey, Index, case, func, select
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from models.base import Base, one_of
from models.people import User
from models.training import Course, Enrolment


class AlertLevel(StrEnum):
    """How a user is alerted about one course."""

    ALL = "all"  # by inbox and e-mail; the default without a row
    INBOX = "inbox"  # no e-mail
    NONE = "none"


class AlertPreference(Base):
    """A user's choice for one course."""

    __tablename__ = "alert_preference"
    __table_args__ = (Index(None, "course_id"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id"), primary_key=True)
    level: Mapped[AlertLevel] = mapped_column(one_of(AlertLevel, "level"))


@dataclass(frozen=True)
class CourseLevel:
    """A course of a user, and their choice for it."""

    id: int
    code: str
    title: str
    level: AlertLevel


def level_is(level: AlertLevel, course_id: InstrumentedAttribute[int] | ColumnElement[int]) -> ColumnElement[bool]:
    """Returns the condition that the `User` of the query has chosen this level for the course."""
    return (
        select(AlertPreference)
        .where(
            AlertPreference.user_id == User.id,
            AlertPreference.course_id == course_id,
            AlertPreference.level == level,
        )
        .correlate_except(AlertPreference)
        .exists()
    )


def why_no_alert(course_id: InstrumentedAttribute[int] | ColumnElement[int]) -> list[tuple[ColumnElement[bool], str]]:
    """Returns the reasons why the `User` of the query gets no alert about the course, as the pairs of a CASE."""
    return [
        (~User.active, "the user is deactivated"),
        (~User.notifications_on, "the user's notifications are off"),
        (level_is(AlertLevel.NONE, course_id), "the user wants no alerts about this course"),
    ]


def why_no_mail(course_id: InstrumentedAttribute[int] | ColumnElement[int]) -> list[tuple[ColumnElement[bool], str]]:
    """Returns the reasons why the `User` of the query gets no e-mail about the course, as the pairs of a CASE."""
    return [
        *why_no_alert(course_id),
        (~User.mail_on, "the user wants no e-mail"),
        (level_is(AlertLevel.INBOX, course_id), "the user wants no e-mail about this course"),
    ]


def wants_alert(course_id: InstrumentedAttribute[int] | ColumnElement[int]) -> ColumnElement[bool]:
    """Returns the condition that the `User` of the query gets alerts about the course."""
    return case(*((condition, False) for condition, _ in why_no_alert(course_id)), else_=True)


def wants_mail(course_id: InstrumentedAttribute[int] | ColumnElement[int]) -> ColumnElement[bool]:
    """Returns the condition that the `User` of the query gets e-mails about the course."""
    return case(*((condition, False) for condition, _ in why_no_mail(course_id)), else_=True)


def alert_levels_of(session: Session, user_id: int) -> list[CourseLevel]:
    """Returns the courses assigned to the user, in order of title, with their choice for each."""
    query = (
        select(Course.id, Course.code, Course.title, func.coalesce(AlertPreference.level, AlertLevel.ALL.value))
        .join(Enrolment, Enrolment.course_id == Course.id)
        .outerjoin(
            AlertPreference,
            (AlertPreference.user_id == Enrolment.user_id) & (AlertPreference.course_id == Course.id),
        )
        .where(Enrolment.user_id == user_id, Enrolment.unassigned_at.is_(None))
        .order_by(Course.title, Course.id)
    )
    return [CourseLevel(id_, code, title, AlertLevel(level)) for id_, code, title, level in session.execute(query)]
