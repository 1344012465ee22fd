"""Training analytics: *Course completion by users*."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Double, Select, bindparam, cast, func, select
from sqlalchemy.orm import Session

from models.listing import Count, Key, Listed, Matches, Orders, Place, contains, count_of, matches, rank
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
    external_id: str | None = None

    @property
    def not_started(self) -> int:
        """How many have not begun."""
        return self.assigned - self.in_progress - self.completed

    @property
    def rate(self) -> float:
        """Share of assigned users who completed the course, 0 to 1."""
        return self.completed / self.assigned if self.assigned else 0.0


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
    external_id: str | None = None


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
    query = (
        select(
            Course.code,
            Course.title,
            func.count(Enrolment.id),
            func.count(Enrolment.id).filter(Enrolment.state == EnrolmentState.IN_PROGRESS),
            func.count(Enrolment.id).filter(Enrolment.state == EnrolmentState.COMPLETED),
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


_SUMS = (
    select(
        Enrolment.course_id,
        func.count().label("assigned"),
        func.count().filter(Enrolment.state == EnrolmentState.IN_PROGRESS).label("in_progress"),
        func.count().filter(Enrolment.state == EnrolmentState.COMPLETED).label("completed"),
    )
    .where(Enrolment.organization_id == bindparam("organization"), Enrolment.unassigned_at.is_(None))
    .group_by(Enrolment.course_id)
    .subquery("sums")
)
_ASSIGNED, _IN_PROGRESS, _COMPLETED = (
    func.coalesce(_SUMS.c[name], 0) for name in ("assigned", "in_progress", "completed")
)
_RATE = func.coalesce(cast(_SUMS.c.completed, Double) / _SUMS.c.assigned, 0.0)
_CODE = Key(Course.code, str)

COURSE_ORDERS = Orders(
    "code",
    {
        "code": (_CODE,),
        "title": (Key(Course.title, str), _CODE),
        "assigned": (Key(_ASSIGNED, int), _CODE),
        "not_started": (Key(_ASSIGNED - _IN_PROGRESS - _COMPLETED, int), _CODE),
        "in_progress": (Key(_IN_PROGRESS, int), _CODE),
        "completed": (Key(_COMPLETED, int), _CODE),
        "completion": (Key(_RATE, float), _CODE),
    },
    down=("assigned", "not_started", "in_progress", "completed", "completion"),
)


def courses_listed(
    session: Session,
    organization_id: int,
    search: str = "",
    *,
    sort: str = "",
    after: Place | None = None,
    limit: int,
) -> list[Listed[CourseCompletion]]:
    """Returns up to `limit` of the organization's courses whose code or title contains the text, after `after`."""
    order = COURSE_ORDERS.named(sort)
    query = (
        select(Course.code, Course.title, _ASSIGNED, _IN_PROGRESS, _COMPLETED, Course.external_id)
        .outerjoin(_SUMS, _SUMS.c.course_id == Course.id)
        .where(Course.organization_id == organization_id, *contains(search, Course.code, Course.title))
    )
    rows = session.execute(order.page(query, after, limit), {"organization": organization_id})
    return [(CourseCompletion(*row[:6]), order.place(row)) for row in rows]


def count_courses(session: Session, organization_id: int, search: str = "") -> Count:
    """Returns how many of the organization's courses have a code or title that contains the text."""
    mine = select(Course.id).where(Course.organization_id == organization_id)
    return count_of(session, mine.where(*contains(search, Course.code, Course.title)))


class Standing(StrEnum):
    """What users of a course a list shows."""

    NOT_STARTED = "not_started"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    OVERDUE = "overdue"  # due, and not completed


_STANDINGS = {
    Standing.NOT_STARTED: Enrolment.state == EnrolmentState.ASSIGNED,
    Standing.IN_PROGRESS: Enrolment.state == EnrolmentState.IN_PROGRESS,
    Standing.COMPLETED: Enrolment.state == EnrolmentState.COMPLETED,
    Standing.OVERDUE: (Enrolment.due_at < func.now()) & (Enrolment.state != EnrolmentState.COMPLETED),
}
_BY_NAME = (Key(User.name, str), Key(User.id, int))
_USER = Key(Enrolment.user_id, int)

COMPLETION_ORDERS = Orders(
    "name",
    {
        "name": _BY_NAME,
        "email": (Key(func.lower(User.email), str), Key(User.id, int)),
        "state": (Key(rank(Enrolment.state, list(EnrolmentState)), int), _USER),
        "progress": (Key(Enrolment.progress, int), _USER),
        "completed": (Key(Enrolment.completed_at, datetime, nullable=True), _USER),
        "due": (Key(Enrolment.due_at, datetime, nullable=True), _USER),
    },
    down=("progress", "completed"),
)


@dataclass(frozen=True)
class CompletionFilter:
    """What users of a course a list shows; by default, all."""

    search: str = ""  # a part of the name or the address
    standing: Standing | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Returns the conditions that a user and their enrolment meet."""
        found = contains(self.search, User.name, User.email)
        return found if self.standing is None else [*found, _STANDINGS[self.standing]]


def matching_completions(session: Session, course: Course, which: CompletionFilter) -> Matches | None:
    """Returns those users of the course whom the filter leaves; `None` if it leaves all."""
    if which == CompletionFilter():
        return None
    return matches(session, Enrolment.id, _assigned(select(Enrolment.id), course).where(*which.conditions()))


def _assigned(query: Select[*tuple[Any, ...]], course: Course) -> Select[*tuple[Any, ...]]:
    return query.join(User, User.id == Enrolment.user_id).where(
        User.organization_id == course.organization_id,  # for the index that has the usual order
        Enrolment.course_id == course.id,
        Enrolment.unassigned_at.is_(None),
    )


def completion_by_user(
    session: Session, course: Course, *, after: Place | None = None, limit: int | None = None
) -> Iterator[UserCompletion]:
    """Yields the users the course is assigned to, in order of name. Streamed, since a course may have any number.

    The page begins after the name and id `after` and holds up to `limit` users.
    """
    return (user for user, _ in completions_listed(session, course, after=after, limit=limit))


def completions_listed(
    session: Session,
    course: Course,
    which: CompletionFilter = CompletionFilter(),
    *,
    found: Matches | None = None,
    sort: str = "",
    after: Place | None = None,
    limit: int | None,
) -> Iterator[Listed[UserCompletion]]:
    """Yields up to `limit` of the users the course is assigned to that match, after the place `after`.

    `found` comes from `matching_completions`.
    """
    order = COMPLETION_ORDERS.named(sort)
    columns = select(
        User.id,
        User.name,
        User.email,
        Enrolment.state,
        Enrolment.progress,
        Enrolment.completed_at,
        Enrolment.due_at,
        User.external_id,
    ).select_from(Enrolment)
    query = _assigned(columns, course).where(*which.conditions())
    if found is not None:
        query = query.where(found.quickly)
    rows = session.execute(order.page(query, after, limit).execution_options(yield_per=1000))
    return ((UserCompletion(*row[:8]), order.place(row)) for row in rows)
