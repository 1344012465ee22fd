"""Lookups of an organization's users and courses."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, select, tuple_, type_coerce
from sqlalchemy.orm import Session

from config.languages import translatable
from models.base import one_of
from models.groups import GroupMember
from models.listing import Count, Key, Listed, Matches, Orders, Place, contains, count_of, matches
from models.people import Organization, User
from models.records import Certificate, Completion
from models.refusals.people import UserUnknown
from models.refusals.training import CourseNotAssigned, CourseUnknown
from models.training import Activity, ActivityKind, Course, Enrolment, EnrolmentState


class UserState(StrEnum):
    """Whether a user takes part."""

    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    REMOVED = "removed"


@dataclass(frozen=True)
class UserLine:
    """A user in a list."""

    id: int
    name: str
    email: str
    state: UserState
    added_at: datetime
    assigned: int  # courses
    completed: int


@dataclass(frozen=True)
class UserFilter:
    """What users a list shows; by default, all."""

    search: str = ""  # a part of the name or the address
    group_id: int | None = None
    state: UserState | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Returns the conditions that a user meets."""
        conditions = contains(self.search, User.name, User.email)
        if self.group_id is not None:
            members = select(GroupMember.user_id).where(GroupMember.group_id == self.group_id)
            conditions.append(User.id.in_(members))
        if self.state is not None:
            conditions.append(_STATES[self.state])
        return conditions

    @property
    def is_narrow(self) -> bool:
        """Whether it leaves anyone out."""
        return self != UserFilter()


USER_ORDERS = Orders(
    "name",
    {
        "name": (Key(User.name, str), Key(User.id, int)),
        "email": (Key(func.lower(User.email), str), Key(User.id, int)),
        "added": (Key(User.created_at, datetime), Key(User.id, int)),
    },
    down=("added",),
)

_STATES = {
    UserState.ACTIVE: User.active & User.is_kept(),
    UserState.DEACTIVATED: ~User.active & User.is_kept(),
    UserState.REMOVED: ~User.is_kept(),
}
_STATE = type_coerce(
    case(*((condition, state.value) for state, condition in _STATES.items())), one_of(UserState, "state")
)


@dataclass(frozen=True)
class TrainingLine:
    """A course assigned to a user."""

    registration: UUID
    code: str
    title: str
    state: EnrolmentState
    progress: int
    assigned_at: datetime
    due_at: datetime | None
    completed_at: datetime | None
    certificate: str | None  # its serial
    score: Decimal | None  # 0 to 100, of the completion, if another system reported one
    external_id: str | None  # of the course
    is_overdue: bool  # its due date has passed without a completion


def matching_users(session: Session, organization_id: int, which: UserFilter) -> Matches | None:
    """Returns those of the organization's users whom the filter leaves; `None` if it leaves all."""
    if not which.is_narrow:
        return None
    users = select(User.id).where(User.organization_id == organization_id, *which.conditions())
    return matches(session, User.id, users)


def users_of(
    session: Session,
    organization_id: int,
    which: UserFilter = UserFilter(),
    *,
    found: Matches | None = None,
    sort: str = "",
    after: Place | None = None,
    limit: int,
) -> list[Listed[UserLine]]:
    """Returns up to `limit` users of the organization that match, after the place `after`.

    `found` comes from `matching_users`, where they may be many.
    """
    order = USER_ORDERS.named(sort)
    query = select(
        User.id,
        User.name,
        User.email,
        _STATE,
        User.created_at,
        _courses_of_user(),
        _courses_of_user(Enrolment.state == EnrolmentState.COMPLETED),
    ).where(User.organization_id == organization_id, *which.conditions())
    if found is not None:
        query = query.where(found.quickly)
    return [(UserLine(*row[:7]), order.place(row)) for row in order.rows(session, query, after, limit)]


def _courses_of_user(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
    mine = (Enrolment.user_id == User.id) & (Enrolment.organization_id == User.organization_id)
    count = select(func.count()).where(mine, Enrolment.unassigned_at.is_(None), *conditions)
    return count.correlate(User).scalar_subquery()


def count_users(session: Session, organization_id: int, state: UserState | None = None) -> Count:
    """Returns how many users the organization has, or has in this state."""
    which = UserFilter(state=state)
    return count_of(session, select(User.id).where(User.organization_id == organization_id, *which.conditions()))


def people_of(
    session: Session,
    organization_id: int,
    *,
    email: str = "",
    external_id: str = "",
    search: str = "",
    removed: bool = False,
    after: tuple[str, int] | None = None,
    limit: int,
) -> list[User]:
    """Returns up to `limit` users in order of name: those with this address and external id, if they are given. Either
    without the removed ones or these alone; erased ones never."""
    conditions = [User.organization_id == organization_id, User.erased_at.is_(None)]
    conditions += contains(search, User.name, User.email)
    if after is not None:
        conditions.append(tuple_(User.name, User.id) > after)
    conditions.append(User.removed_at.is_not(None) if removed else User.removed_at.is_(None))
    if email:
        conditions.append(User.has_address(email))
    if external_id:
        conditions.append(User.external_id == external_id)
    return list(session.scalars(select(User).where(*conditions).order_by(User.name, User.id).limit(limit)))


def user_of(session: Session, organization_id: int, user_id: int) -> User:
    """Returns the organization's user with this id. Raises `UserUnknown`."""
    user = session.get(User, user_id)
    if user is None or user.organization_id != organization_id:
        raise UserUnknown(str(user_id))
    return user


def user_by_address(session: Session, organization_id: int, email: str) -> User:
    """Returns the organization's user with this address, in any case. Raises `UserUnknown`."""
    user = session.scalar(select(User).where(User.organization_id == organization_id, User.has_address(email)))
    if user is None:
        raise UserUnknown(email)
    return user


def user_by_external_id(session: Session, organization_id: int, external_id: str) -> User:
    """Returns the organization's user whom the platform knows by this id. Raises `UserUnknown`."""
    mine = (User.organization_id == organization_id) & (User.external_id == external_id)
    user = session.scalar(select(User).where(mine))
    if user is None:
        raise UserUnknown(external_id)
    return user


def users_by_address(session: Session, organization_id: int, emails: Iterable[str]) -> list[User]:
    """Returns the organization's users with these addresses, ignoring case and duplicates.

    `external:` and an external id name a user too. Raises `UserUnknown`.
    """
    wanted = list(dict.fromkeys(User.name_as_compared(email) for email in emails))
    found: dict[str, User] = {}
    for user in session.scalars(select(User).where(User.organization_id == organization_id, User.is_one_of(wanted))):
        found |= dict.fromkeys(user.names_as_compared, user)
    for email in wanted:
        if email not in found:
            raise UserUnknown(email)
    return list(dict.fromkeys(found[email] for email in wanted))


def course_of(session: Session, organization_id: int, code: str) -> Course:
    """Returns the organization's course with this code, or `external:` and its external id. Raises `CourseUnknown`."""
    course = session.scalar(select(Course).where(Course.organization_id == organization_id, Course.is_named(code)))
    if course is None:
        raise CourseUnknown(code)
    return course


def courses_of(session: Session, organization_id: int) -> list[Course]:
    """Returns the organization's courses, by title."""
    query = select(Course).where(Course.organization_id == organization_id).order_by(Course.title, Course.code)
    return list(session.scalars(query))


def courses_beginning(session: Session, code: str, *, limit: int) -> list[tuple[str, str]]:
    """Returns the codes and titles of the courses whose codes begin like this, of all organizations."""
    query = select(Course.code, Course.title).where(Course.code.istartswith(code, autoescape=True))
    return [(code, title) for code, title in session.execute(query.order_by(Course.code).limit(limit))]


def organizations_with_course(session: Session, code: str) -> list[Organization]:
    """Returns the organizations that have a course with this code, by short name."""
    query = select(Organization).join(Course, Course.organization_id == Organization.id).where(Course.code == code)
    return list(session.scalars(query.order_by(Organization.slug)))


def training_of(session: Session, user: User, code: str | None = None) -> list[TrainingLine]:
    """Returns the courses assigned to the user, in order of title, or only the one with this code."""
    query = (
        select(
            Enrolment.registration,
            Course.code,
            Course.title,
            Enrolment.state,
            Enrolment.progress,
            Enrolment.assigned_at,
            Enrolment.due_at,
            Enrolment.completed_at,
            Certificate.serial.label("certificate"),
            Completion.score,
            Course.external_id,
            Enrolment.is_overdue(func.now()).label("is_overdue"),
        )
        .join(Course, Course.id == Enrolment.course_id)
        .outerjoin(Completion, Completion.registration == Enrolment.registration)
        .outerjoin(Certificate, Certificate.registration == Enrolment.registration)
        .where(
            Enrolment.user_id == user.id,
            Enrolment.organization_id == user.organization_id,
            Enrolment.unassigned_at.is_(None),
        )
        .order_by(Course.title, Course.id)
    )
    if code is not None:
        query = query.where(Course.is_named(code))
    return [TrainingLine(**row) for row in session.execute(query).mappings()]


def assigned_course(session: Session, user: User, code: str, *, whom: str = translatable("this user")) -> TrainingLine:
    """Returns the course with this code as assigned to the user, whom a refusal calls `whom`.

    Raises `CourseUnknown`, `CourseNotAssigned`.
    """
    found = training_of(session, user, code)
    if not found:
        raise CourseNotAssigned(course_of(session, user.organization_id, code).code, whom)
    return found[0]


def activities_of(session: Session, course_id: int) -> list[Activity]:
    """Returns the course's activities in order."""
    return list(session.scalars(select(Activity).where(Activity.course_id == course_id).order_by(Activity.id)))


def activity_counts(session: Session, course_id: int) -> dict[ActivityKind, int]:
    """Returns the number of activities of each kind in the course."""
    query = select(Activity.kind, func.count()).where(Activity.course_id == course_id).group_by(Activity.kind)
    found = {kind: count for kind, count in session.execute(query)}  # noqa: C416 - a row is no tuple to mypy
    return {kind: found[kind] for kind in ActivityKind if kind in found}
