"""Training analytics: *Course completion by users*."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Double, cast, func, select, tuple_
from sqlalchemy.orm import Session

from models.people import User
from models.training import Course, Enrolment, EnrolmentState


@dataclass(frozen=True)
class CourseCompletion:
    """The numbers of one course. Deactivated users count until the course is unassigned."""

    code: str
    title: str
    assigned: int
    in_progress: int
    completed: int
    rate: float  # of the assigned users who completed the course, 0 to 1
    external_id: str | None = None

    @property
    def not_started(self) -> int:
        """How many have not begun."""
        return self.assigned - self.in_progress - self.completed


@dataclass(frozen=True)
class UserCompletion:
    """One user in one course."""

    user_id: int
    name: str
    email: str
    state: EnrolmentState
    progress: int
    completed_at: datetime | None
    due_at: datetime | None
    overdue: bool
    external_id: str | None = None


def rate_of(completed: ColumnElement[int], assigned: ColumnElement[int]) -> ColumnElement[float]:
    """Returns the share of assigned users who completed a course, 0 to 1; 0 if it is assigned to no one."""
    return func.coalesce(cast(completed, Double) / func.nullif(assigned, 0), 0.0)


def completion_by_course(
    session: Session,
    organization_id: int,
    code: str | None = None,
    *,
    after: str | None = None,
    limit: int | None = None,
) -> list[CourseCompletion]:
    """Returns the organization's courses in order of code, or only the course with this code.

    The page begins after the code `after` and holds up to `limit` courses.
    """
    assigned = func.count(Enrolment.id)
    completed = assigned.filter(Enrolment.state == EnrolmentState.COMPLETED)
    query = (
        select(
            Course.code,
            Course.title,
            assigned,
            assigned.filter(Enrolment.state == EnrolmentState.IN_PROGRESS),
            completed,
            rate_of(completed, assigned),
            Course.external_id,
        )
        .outerjoin(Enrolment, (Enrolment.course_id == Course.id) & Enrolment.unassigned_at.is_(None))
        .where(Course.organization_id == organization_id)
        .group_by(Course.id)
        .order_by(Course.code)
        .limit(limit)
    )
    if code is not None:
        query = query.where(Course.is_named(code))
    if after is not None:
        query = query.where(Course.code > after)
    return [CourseCompletion(*row) for row in session.execute(query)]


def completion_by_user(
    session: Session, course: Course, *, after: tuple[str, int] | None = None, limit: int | None = None
) -> Iterator[UserCompletion]:
    """Yields the users the course is assigned to, in order of name. Streamed, since a course may have any number.

    The page begins after the name and id `after` and holds up to `limit` users.
    """
    query = (
        select(
            User.id,
            User.name,
            User.email,
            Enrolment.state,
            Enrolment.progress,
            Enrolment.completed_at,
            Enrolment.due_at,
            Enrolment.is_overdue(func.now()),
            User.external_id,
        )
        .join(User, User.id == Enrolment.user_id)
        .where(
            User.organization_id == course.organization_id,  # for the index that has this order
            Enrolment.course_id == course.id,
            Enrolment.unassigned_at.is_(None),
        )
        .order_by(User.name, User.id)
        .limit(limit)
        .execution_options(yield_per=1000)
    )
    if after is not None:
        query = query.where(tuple_(User.name, User.id) > after)
    return (UserCompletion(*row) for row in session.execute(query))
