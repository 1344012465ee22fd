"""The plan: who and what a reset is for, signed. Without one there is no reset."""

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypedDict
from uuid import UUID

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import Text, func, select
from sqlalchemy.orm import Session

from config.settings import settings, signing_keys
from models.access import Actor, Permission
from models.groups import group_by_code
from models.people import User
from models.refusals.people import UserUnknown
from models.refusals.resets import AudienceInvalid, DueInDaysInvalid, NotAssigned, PlanInvalid, StartAtInvalid
from models.refusals.training import CourseUnknown
from models.resets import Audience
from models.training import Course, Enrolment
from tasks.reset.audience import trust_what_is_seen

MOST_NAMED_USERS = 1000  # beyond that the signed plan no longer fits a form field or a header
LONGEST_DUE_IN_DAYS = 3650
LATEST_START = timedelta(days=365)


@dataclass(frozen=True)
class Shown:
    """What a preview said of its plan. A confirmation is of these figures."""

    learners: int
    removed: dict[str, int]  # rows by record kind, as counted
    alerts: int
    sampled: int  # of so many learners one was looked at; 1: every one


@dataclass(frozen=True)
class Plan:
    """What is asked for. Its id becomes the reset's, so confirming it twice makes one reset."""

    id: UUID
    organization_id: int
    course_id: int
    course_code: str
    audience: Audience
    user_ids: list[int] | None
    planned_at: datetime
    due_in_days: int | None
    notify: bool
    start_at: datetime | None = None  # none: at once
    reason: str = ""  # if it was said with the plan already
    group_id: int | None = None
    snapshot: str | None = None  # what its preview could see
    shown: Shown | None = None  # none: nobody was shown what it would do

    @property
    def expires_at(self) -> datetime:
        """Until when it can be confirmed."""
        return self.planned_at + timedelta(minutes=settings().plan_minutes)


class Options(TypedDict, total=False):
    """What can be said of a reset beside its course; see `make_plan`."""

    audience: str
    users: list[str] | list[int] | None
    due_in_days: int | None
    notify: bool
    start_at: datetime | None
    reason: str
    group: str | None


def make_plan(
    session: Session,
    actor: Actor,
    course_code: str,
    *,
    audience: str = Audience.ASSIGNED,
    users: list[str] | list[int] | None = None,
    due_in_days: int | None = None,
    notify: bool = True,
    start_at: datetime | None = None,
    reason: str = "",
    group: str | None = None,
) -> Plan:
    """Plan a reset of the course for those who are in its audience now. Changes nothing.

    `users` are e-mail addresses or ids, for the audience `users` alone; `due_in_days` counts from the reset and
    is 1 to 3650; `notify` false sends no alerts; before `start_at`, which has a time zone, nothing is done; `group` is
    the code of the audience `group`. `reason` can also be said with the request. Raises the refusals of these,
    `CourseUnknown` and `Forbidden`.
    """
    audience = _audience(audience, users, group)
    actor.must_have(permission_for(audience))
    course = session.scalar(
        select(Course).where(Course.organization_id == actor.organization_id, Course.code == course_code)
    )
    if course is None:
        raise CourseUnknown(course_code)
    user_ids = _named(session, course, users) if audience == Audience.USERS else None
    group_id = group_by_code(session, actor.organization_id, group).id if group is not None else None
    trust_what_is_seen(session, course.id, user_ids, group_id)
    plan_id, now, snapshot = session.execute(
        select(func.uuidv7(), func.clock_timestamp(), func.pg_current_snapshot().cast(Text))
    ).one()
    plan = Plan(
        id=plan_id,
        organization_id=actor.organization_id,
        course_id=course.id,
        course_code=course.code,
        audience=audience,
        user_ids=user_ids,
        planned_at=now,
        due_in_days=None,
        notify=True,
        reason=reason,
        group_id=group_id,
        snapshot=snapshot,
    )
    return with_options(plan, due_in_days=due_in_days, notify=notify, start_at=start_at)


def with_options(plan: Plan, *, due_in_days: int | None, notify: bool, start_at: datetime | None) -> Plan:
    """The same plan with what can still be chosen after its preview was seen, as it says nothing of who or what goes.

    Raises `DueInDaysInvalid`, `StartAtInvalid`.
    """
    if due_in_days is not None and not 1 <= due_in_days <= LONGEST_DUE_IN_DAYS:
        raise DueInDaysInvalid
    if start_at is not None and not timedelta() < start_at - datetime.now(UTC) <= LATEST_START:
        raise StartAtInvalid
    return replace(plan, due_in_days=due_in_days, notify=notify, start_at=start_at)


def permission_for(audience: Audience) -> Permission:
    """Named users are reset from their profile, a course from its summary page; each has its own permission."""
    return Permission.USERS if audience == Audience.USERS else Permission.COURSES


def signed(plan: Plan) -> str:
    """The plan as a token that `opened` takes back, and that nobody else can make."""
    start_at = plan.start_at.isoformat() if plan.start_at else None
    as_text = {"id": str(plan.id), "planned_at": plan.planned_at.isoformat(), "start_at": start_at}
    return _signer().dumps(asdict(plan) | as_text)


def opened(token: str) -> Plan:
    """The plan in a signed token, be it expired or not. Raises `PlanInvalid` for one that was not signed here."""
    try:
        plan = _signer().loads(token)
    except BadData:
        raise PlanInvalid from None
    return Plan(
        **plan
        | {
            "id": UUID(plan["id"]),
            "audience": Audience(plan["audience"]),
            "planned_at": datetime.fromisoformat(plan["planned_at"]),
            "start_at": datetime.fromisoformat(plan["start_at"]) if plan["start_at"] else None,
            "shown": Shown(**plan["shown"]) if plan.get("shown") else None,
        }
    )


def opened_for(token: str, course_code: str, user_ids: list[int] | None) -> Plan:
    """Return the plan in a signed token, which must be for this course and these users.

    The page that was confirmed is part of the confirmation. Raises `PlanInvalid`.
    """
    plan = opened(token)
    if plan.course_code != course_code or plan.user_ids != user_ids:
        raise PlanInvalid
    return plan


def expired(plan: Plan) -> bool:
    """Whether the plan is too old to be confirmed."""
    return datetime.now(UTC) > plan.expires_at


def _audience(audience: str, users: list[str] | list[int] | None, group: str | None) -> Audience:
    """The audience of this name. Raises `AudienceInvalid`, also where users or a group are named that it would not
    look at."""
    if audience not in list(Audience):
        raise AudienceInvalid(f"The audience must be one of {', '.join(Audience)}.")
    if users is not None and audience != Audience.USERS:  # an empty list is a filter that found nobody
        raise AudienceInvalid("Users are named, but the audience is not `users`: everyone would be reset.")
    if (group is not None) != (audience == Audience.GROUP):
        raise AudienceInvalid("The audience `group` and the code of a group go together: give both or neither.")
    return Audience(audience)


def _named(session: Session, course: Course, users: list[str] | list[int] | None) -> list[int]:
    """The ids of the named users, each of them assigned to the course. Raises `UserUnknown`, `NotAssigned`."""
    named = list(dict.fromkeys(users or []))
    if not 1 <= len(named) <= MOST_NAMED_USERS:
        raise AudienceInvalid(f"Name 1 to {MOST_NAMED_USERS:,} users, or reset everyone assigned.")
    key = User.id if isinstance(named[0], int) else func.lower(User.email)
    wanted = [name.lower() if isinstance(name, str) else name for name in named]
    found = {
        name: (user_id, assigned)
        for name, user_id, assigned in session.execute(
            select(key, User.id, Enrolment.id.is_not(None))
            .outerjoin(
                Enrolment,
                (Enrolment.user_id == User.id) & (Enrolment.course_id == course.id) & Enrolment.unassigned_at.is_(None),
            )
            .where(User.organization_id == course.organization_id, key.in_(wanted))
        )
    }
    for name in wanted:
        if name not in found:
            raise UserUnknown(str(name))
    if missing := [str(name) for name in wanted if not found[name][1]]:
        raise NotAssigned(missing, course.code)
    return sorted({found[name][0] for name in wanted})


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(signing_keys(), salt="recourse.plan")
