"""Preview: what a reset would remove, and the signed plan without which there is none."""

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypedDict, Unpack
from uuid import UUID

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import Text, exists, func, literal, or_, select
from sqlalchemy.orm import Session

from config.settings import settings, signing_keys
from models.access import Actor, Permission
from models.groups import group_by_code
from models.people import User
from models.preferences import wants_alert
from models.records import Completion, LearnerRecord, record_kinds
from models.refusals import (
    AudienceInvalid,
    CourseUnknown,
    DueInDaysInvalid,
    NotAssigned,
    PlanInvalid,
    StartAtInvalid,
    UserUnknown,
)
from models.resets import Audience, ItemState, ResetItem
from models.training import Course, Enrolment, EnrolmentState
from tasks.audience import ELSEWHERE, in_audience, trust_what_is_seen

MOST_NAMED_USERS = 1000  # beyond that the signed plan no longer fits a form field or a header
LONGEST_DUE_IN_DAYS = 3650
LATEST_START = timedelta(days=365)
COUNTED_EXACTLY = 5_000  # learners; above that, estimates are from a sample of about `SAMPLED`
SAMPLED = 1_000
NAMES_SHOWN = 5


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


@dataclass(frozen=True)
class Preview:
    """A plan, and what it would do now."""

    plan: Plan
    learners: int
    removed: dict[str, int]  # rows by record kind
    alerts: int
    excluded: dict[str, int]  # learners of the audience who would be left out, by the reason
    sample: list[str]  # names of a few learners
    about: bool  # whether `removed` and `alerts` are estimates

    @property
    def completions(self) -> int:
        """Completions that would go."""
        return self.removed[Completion.kind()]

    @property
    def token(self) -> str:
        """The plan with what was shown of it, signed."""
        return signed(self.plan)


class Options(TypedDict, total=False):
    """What can be said of a reset beside its course; see `make_plan`."""

    audience: str
    users: list[str] | list[int] | None
    due_in_days: int | None
    notify: bool
    start_at: datetime | None
    reason: str
    group: str | None


def preview(
    session: Session, actor: Actor, course_code: str, *, about: bool = False, **options: Unpack[Options]
) -> Preview:
    """Plan a reset, and say what it would do now. Changes nothing.

    It counts every record of the audience, which takes seconds for a million learners. With `about`, records and alerts
    of a large audience are estimated from a sample of it instead. Who has no use for the figures calls `make_plan`,
    which takes the same arguments and raises the same.
    """
    return impact(session, make_plan(session, actor, course_code, **options), about=about)


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


def impact(session: Session, plan: Plan, *, about: bool = False) -> Preview:
    """What the plan would do now; see `preview`. The preview's plan is this one, with what is shown."""
    shown = figures(session, plan, about=about)
    return Preview(
        replace(plan, shown=shown),
        learners=shown.learners,
        removed=told(shown),
        alerts=shown.alerts if shown.sampled == 1 else _rounded(shown.alerts),
        excluded=_excluded(session, plan),
        sample=_some_names(session, plan),
        about=shown.sampled > 1,
    )


def figures(session: Session, plan: Plan, *, about: bool = False, sampled: int | None = None) -> Shown:
    """The plan's figures as they are now, of one in `sampled` learners if that is said."""
    audience = in_audience(plan)
    learners = session.scalars(select(func.count()).select_from(Enrolment).where(audience)).one()
    if sampled is None:
        sampled = max(1, learners // SAMPLED) if about and learners > COUNTED_EXACTLY else 1
    counted = audience
    if sampled > 1:  # by a hash of the id, since the ids of a course may follow a pattern
        counted &= func.abs(func.hashint8(Enrolment.id)) % sampled == 0
    in_sample = (
        select(Enrolment.id, Enrolment.registration, Enrolment.state, Enrolment.user_id).where(counted).cte("in_sample")
    )
    kinds = record_kinds()
    records = {
        kind.kind(): select(func.count())
        .select_from(kind)
        .join(in_sample, in_sample.c.registration == kind.registration)
        .scalar_subquery()
        for kind in kinds
    }
    anything = or_(
        in_sample.c.state != EnrolmentState.ASSIGNED,
        *(exists().where(kind.registration == in_sample.c.registration) for kind in kinds),
    )
    alerts = (
        select(func.count())
        .select_from(in_sample)
        .join(User, User.id == in_sample.c.user_id)
        .where(anything, wants_alert(literal(plan.course_id)))
        .scalar_subquery()
    )
    looked_at = select(func.count()).select_from(in_sample).scalar_subquery()
    size, alerted, *rows = session.execute(select(looked_at, alerts, *records.values())).one()
    scale = learners / size if sampled > 1 and size else 1
    removed = {kind: round(count * scale) for kind, count in zip(records, rows, strict=True)}
    if sampled > 1:  # a sample that holds none of a kind does not tell that there are none
        removed |= _few(session, plan, [kind for kind in kinds if not removed[kind.kind()]])
    return Shown(learners, removed, round(alerted * scale) if plan.notify else 0, sampled)


def _few(session: Session, plan: Plan, kinds: list[type[LearnerRecord]]) -> dict[str, int]:
    """How many records of these kinds there are, counted."""
    few = {
        kind.kind(): select(func.count())
        .select_from(kind)
        .join(Enrolment, Enrolment.registration == kind.registration)
        .where(in_audience(plan))
        .scalar_subquery()
        for kind in kinds
    }
    return dict(zip(few, session.execute(select(*few.values())).one(), strict=True)) if few else {}


def told(shown: Shown) -> dict[str, int]:
    """The rows of each record kind, as people are told of them."""
    return {kind: count if shown.sampled == 1 else _rounded(count) for kind, count in shown.removed.items()}


def _rounded(estimate: int) -> int:
    """To two digits: more would claim to know more than a sample tells."""
    return round(estimate, 2 - len(str(estimate)))


def _excluded(session: Session, plan: Plan) -> dict[str, int]:
    """Learners of the audience who are open in another reset now, and would be skipped."""
    elsewhere = session.scalars(
        select(func.count())
        .select_from(ResetItem)
        .join(Enrolment, Enrolment.id == ResetItem.enrolment_id)
        .where(ResetItem.state == ItemState.PENDING, in_audience(plan))
    ).one()
    return {ELSEWHERE: elsewhere} if elsewhere else {}


def _some_names(session: Session, plan: Plan) -> list[str]:
    """A few of the learners, for people to see at a glance whether it is the right course."""
    first = select(Enrolment.user_id).where(in_audience(plan)).limit(NAMES_SHOWN).subquery()
    return list(session.scalars(select(User.name).join(first, first.c.user_id == User.id).order_by(User.name)))


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(signing_keys(), salt="recourse.plan")
