"""The lists of analytics, in any order: courses with their completion, and the users of a course."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, select
from sqlalchemy.orm import Session

from models.analytics import CourseCompletion, UserCompletion, rate_of
from models.listing import (
    Count,
    Key,
    Listed,
    Matches,
    Orders,
    Place,
    contains,
    count_of,
    matches,
    plan_with_values,
    rank,
)
from models.people import User
from models.training import Course, Enrolment, EnrolmentState

# In one look at the enrolments of all courses: PostgreSQL takes it in parallel.
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
_RATE = rate_of(_COMPLETED, _ASSIGNED)
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
        select(Course.code, Course.title, _ASSIGNED, _IN_PROGRESS, _COMPLETED, _RATE, Course.external_id)
        .outerjoin(_SUMS, _SUMS.c.course_id == Course.id)
        .where(Course.organization_id == organization_id, *contains(search, Course.code, Course.title))
    )
    rows = order.rows(session, query, after, limit, organization=organization_id)
    return [(CourseCompletion(*row[:7]), order.place(row)) for row in rows]


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
    Standing.OVERDUE: Enrolment.is_overdue(func.now()),
}
_USER = Key(Enrolment.user_id, int)
_OF_USERS = {
    "name": (Key(User.name, str), Key(User.id, int)),
    "email": (Key(func.lower(User.email), str), Key(User.id, int)),
}
_OF_ENROLMENTS = {
    "state": (Key(rank(Enrolment.state, list(EnrolmentState)), int), _USER),
    "progress": (Key(Enrolment.progress, int), _USER),
    "completed": (Key(Enrolment.completed_at, datetime, nullable=True), _USER),
    "due": (Key(Enrolment.due_at, datetime, nullable=True), _USER),
}
COMPLETION_ORDERS = Orders("name", _OF_USERS | _OF_ENROLMENTS, down=("progress", "completed"))


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
    users = select(Enrolment.id).where(*_of_course(course), *which.conditions())
    return matches(session, Enrolment.id, _with_users(users, course))


def completions_listed(
    session: Session,
    course: Course,
    which: CompletionFilter = CompletionFilter(),
    *,
    found: Matches | None = None,
    sort: str = "",
    after: Place | None = None,
    limit: int,
) -> list[Listed[UserCompletion]]:
    """Returns up to `limit` of the users the course is assigned to that match, after the place `after`.

    `found` comes from `matching_completions`.
    """
    order = COMPLETION_ORDERS.named(sort)
    of_enrolment = (Enrolment.user_id, Enrolment.state, Enrolment.progress, Enrolment.completed_at, Enrolment.due_at)
    overdue = Enrolment.is_overdue(func.now()).label("is_overdue")
    query = select(*of_enrolment, overdue).where(*_of_course(course), *which.conditions())
    if found is not None:
        query = query.where(found.quickly)
    # Where the order needs none of them, users are looked up for the page only: to join a million takes four times as
    # long as to sort their enrolments.
    if which.search or sort.removeprefix("-") not in _OF_ENROLMENTS:
        query = _with_users(query, course)
    page = order.page(query, after, limit).subquery()
    places = order.places_in(page)
    lines = (
        select(User.id, User.name, User.email, *list(page.c)[1:6], User.external_id, *places)
        .join(page, page.c.user_id == User.id)
        .order_by(*order.by(places))
    )
    plan_with_values(session)
    rows: Iterable[Sequence[Any]] = session.execute(lines)
    return [(UserCompletion(*row[:9]), order.place(row)) for row in rows]


def _of_course(course: Course) -> tuple[ColumnElement[bool], ...]:
    return (Enrolment.course_id == course.id, Enrolment.unassigned_at.is_(None))


def _with_users(query: Select[*tuple[Any, ...]], course: Course) -> Select[*tuple[Any, ...]]:
    query = query.select_from(Enrolment).join(User, User.id == Enrolment.user_id)
    return query.where(User.organization_id == course.organization_id)  # for the indexes of users in order
