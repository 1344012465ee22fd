"""The plan: what a reset would do, and for whom, signed. No reset starts without one."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypedDict
from uuid import UUID

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import Text, func, select
from sqlalchemy.orm import Session

from config.settings import settings, signing_keys
from models.access import Actor, Permission
from models.directory import course_of
from models.groups import group_by_code
from models.people import User
from models.refusals.people import UserUnknown
from models.refusals.resets import (
    AudienceInvalid,
    DueInDaysInvalid,
    NotAssigned,
    PlanInvalid,
    SkipCompletedInvalid,
    StartAtInvalid,
)
from models.resets import Audience
from models.training import Course, Enrolment
from tasks.reset.audience import trust_what_is_seen

MOST_NAMED_USERS = 1000  # with more, the signed plan no longer fits a form field or a header: use a list
LONGEST_SKIP_COMPLETED_DAYS = 3650
LONGEST_DUE_IN_DAYS = 3650
LATEST_START = timedelta(days=365)


@dataclass(frozen=True)
class Shown:
    """The figures that a preview showed, and that a confirmation refers to."""

    learners: int
    removed: dict[str, int]  # rows by record kind, as counted
    alerts: int
    sampled: int  # one in this many learners was counted; 1: every learner
    left_out: int = 0  # of the learners: who would be skipped, since they are exempt or completed it lately

    @property
    def to_reset(self) -> int:
        """How many learners would not be left out."""
        return self.learners - self.left_out


@dataclass(frozen=True)
class Plan:
    """A planned reset. Its id becomes the reset's, so confirming it twice makes one reset."""

    id: UUID
    organization_id: int
    course_id: int
    course_code: str
    audience: Audience
    user_ids: list[int] | None
    planned_at: datetime
    due_in_days: int | None
    notify: bool
    start_at: datetime | None = None  # `None`: at once
    reason: str = ""  # if it was given with the plan
    group_id: int | None = None
    snapshot: str | None = None  # what its preview could see
    shown: Shown | None = None  # `None`: without a preview
    list_id: UUID | None = None
    skip_completed_days: int | None = None

    @property
    def expires_at(self) -> datetime:
        """When it can no longer be confirmed."""
        return self.planned_at + timedelta(minutes=settings().plan_minutes)


class Options(TypedDict, total=False):
    """The options of a reset; see `make_plan`."""

    audience: str
    users: Sequence[str | int] | None
    due_in_days: int | None
    notify: bool
    start_at: datetime | None
    reason: str
    group: str | None
    list_id: UUID | None
    skip_completed_days: int | None


def make_plan(
    session: Session,
    actor: Actor,
    course_code: str,
    *,
    audience: str = Audience.ASSIGNED,
    users: Sequence[str | int] | None = None,
    due_in_days: int | None = None,
    notify: bool = True,
    start_at: datetime | None = None,
    reason: str = "",
    group: str | None = None,
    list_id: UUID | None = None,
    skip_completed_days: int | None = None,
) -> Plan:
    """Plan a reset of the course for the learners who are in its audience now. Changes nothing.

    `users` are e-mail addresses, `external:` with external ids, or ids, for the audience `users` alone; `due_in_days`
    counts from the reset and is 1 to 3650; `notify` false sends no alerts; before `start_at`, which has a time zone,
    nothing is done; `group` is the code of the audience `group`, `list_id` the list of the audience `list`, which the
    actor made; who completed the course within `skip_completed_days` before the plan is left out. `reason` can also be
    said with the request. Raises the refusals of these, `CourseUnknown` and `Forbidden`.
    """
    audience = _audience(audience, users, group, list_id)
    if skip_completed_days is not None and not 1 <= skip_completed_days <= LONGEST_SKIP_COMPLETED_DAYS:
        raise SkipCompletedInvalid
    actor.must_have(permission_for(audience))
    course = course_of(session, actor.organization_id, course_code)
    user_ids = _named(session, course, users) if audience == Audience.USERS else None
    group_id = group_by_code(session, actor.organization_id, group).id if group is not None else None
    if list_id is not None:
        from tasks.reset.lists import list_of  # loads all imports

        list_of(session, actor, list_id, course.id)
    trust_what_is_seen(session, course.id, user_ids, group_id, list_id)
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
        list_id=list_id,
        skip_completed_days=skip_completed_days,
    )
    return with_options(plan, due_in_days=due_in_days, notify=notify, start_at=start_at)


def together(user_ids: Sequence[int] | None, names: Sequence[str] | None) -> list[str | int] | None:
    """Returns the `users` of a plan that are given by id and by name. None given is not an empty list of them."""
    return None if user_ids is None and names is None else [*(user_ids or ()), *(names or ())]


def with_options(plan: Plan, *, due_in_days: int | None, notify: bool, start_at: datetime | None) -> Plan:
    """Returns the plan with the options that can still be chosen after its preview: they do not change its figures.

    Raises `DueInDaysInvalid`, `StartAtInvalid`.
    """
    check_due_in_days(due_in_days)
    if start_at is not None:
        check_start(start_at)
    return replace(plan, due_in_days=due_in_days, notify=notify, start_at=start_at)


def check_due_in_days(days: int | None) -> None:
    """Raise `DueInDaysInvalid` unless a reset may set a due date in so many days; `None`: it sets none."""
    if days is not None and not 1 <= days <= LONGEST_DUE_IN_DAYS:
        raise DueInDaysInvalid


def check_start(start_at: datetime) -> None:
    """Raise `StartAtInvalid` unless a reset may be planned for this time."""
    if not timedelta() < start_at - datetime.now(UTC) <= LATEST_START:
        raise StartAtInvalid


def permission_for(audience: Audience) -> Permission:
    """Returns the permission for resets from a user's profile, or for those of a course."""
    return Permission.USERS if audience in (Audience.USERS, Audience.LIST) else Permission.COURSES


def signed(plan: Plan) -> str:
    """Returns the plan as a signed token, for `opened`."""
    start_at = plan.start_at.isoformat() if plan.start_at else None
    list_id = str(plan.list_id) if plan.list_id else None
    as_text = {"id": str(plan.id), "planned_at": plan.planned_at.isoformat(), "start_at": start_at, "list_id": list_id}
    return _signer().dumps(asdict(plan) | as_text)


def opened(token: str) -> Plan:
    """Returns the plan in a signed token, expired or not. Raises `PlanInvalid` if it was not signed here."""
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
            "list_id": UUID(plan["list_id"]) if plan.get("list_id") else None,
        }
    )


def opened_for(token: str, course: str, user_id: int | None = None, *, named_users: bool = True) -> Plan:
    """Returns the plan in a token, which must be for this course and, if given, for this user alone.

    `named_users` says whether a plan for named users will do if no user is given. Raises `PlanInvalid`.
    """
    plan = opened(token)
    for_them = named_users or plan.user_ids is None if user_id is None else plan.user_ids == [user_id]
    if plan.course_code != course or not for_them:
        raise PlanInvalid
    return plan


def opened_by(actor: Actor, token: str) -> Plan:
    """Returns the plan in a token, for someone who may reset by it. Raises `PlanInvalid`, `Forbidden`."""
    plan = opened(token)
    if plan.organization_id != actor.organization_id:
        raise PlanInvalid
    actor.must_have(permission_for(plan.audience))
    return plan


def expired(plan: Plan) -> bool:
    """Returns whether the plan is too old to be confirmed."""
    return datetime.now(UTC) > plan.expires_at


def _audience(audience: str, users: Sequence[str | int] | None, group: str | None, list_id: UUID | None) -> Audience:
    """Returns the audience with this name. Raises `AudienceInvalid`, also for users, a group or a list that it would
    ignore."""
    if audience not in list(Audience):
        raise AudienceInvalid("The audience must be one of {audiences}.", audiences=", ".join(Audience))
    if users is not None and audience != Audience.USERS:  # an empty list may be a filter without matches
        raise AudienceInvalid(
            "Users are named, but the audience is not `users`: all learners would be reset. Use `users`."
        )
    if (group is not None) != (audience == Audience.GROUP):
        raise AudienceInvalid("The audience `group` needs the code of a group, and no other audience takes one.")
    if (list_id is not None) != (audience == Audience.LIST):
        raise AudienceInvalid("The audience `list` needs the id of a list, and no other audience takes one.")
    return Audience(audience)


def _named(session: Session, course: Course, users: Sequence[str | int] | None) -> list[int]:
    """Returns the ids of the named users. Raises `UserUnknown`, or `NotAssigned` if the course is not theirs."""
    named = list(dict.fromkeys(users or []))
    if not 1 <= len(named) <= MOST_NAMED_USERS:
        raise AudienceInvalid(
            "Name 1 to {most_named_users:,} users, or reset everyone assigned.", most_named_users=MOST_NAMED_USERS
        )
    ids = [name for name in named if isinstance(name, int)]
    names = [User.name_as_compared(name) for name in named if isinstance(name, str)]
    rows = session.execute(
        select(User, Enrolment.id.is_not(None))
        .outerjoin(
            Enrolment,
            (Enrolment.user_id == User.id) & (Enrolment.course_id == course.id) & Enrolment.unassigned_at.is_(None),
        )
        .where(User.organization_id == course.organization_id, User.is_one_of(names, ids))
    )
    found: dict[int | str, tuple[int, bool]] = {}
    for user, assigned in rows:
        found |= dict.fromkeys((user.id, *user.names_as_compared), (user.id, assigned))
    wanted: list[int | str] = [*ids, *names]
    for name in wanted:
        if name not in found:
            raise UserUnknown(str(name))
    if missing := [str(name) for name in wanted if not found[name][1]]:
        raise NotAssigned(missing, course.code)
    return sorted({found[name][0] for name in wanted})


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(signing_keys(), salt="recourse.plan")
