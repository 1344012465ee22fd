"""The brakes of a retraining rule: what keeps it from firing until someone confirms it again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.access import MANAGEMENT, Actor, Permission, still_acting
from models.refusals.rules import BrakeHolds
from models.resets import Audience
from models.retraining import Occurrence, Rule, RuleKind
from models.training import Enrolment
from tasks.reset.audience import in_audience
from tasks.rules.recurrence import moment, on_the_clock

GROWTH = 1.5  # a larger audience is no longer the one that was confirmed


@dataclass(frozen=True)
class Aim:
    """The audience of a rule at a moment, as `in_audience` takes it."""

    course_id: int
    audience: Audience
    group_id: int | None
    planned_at: datetime
    user_ids: list[int] | None = None
    list_id: UUID | None = None
    skip_completed_days: int | None = None
    snapshot: str | None = None  # not needed: the query runs at `planned_at`


def needed(kind: RuleKind) -> list[Permission]:
    """Returns the permissions that the owner needs. A rolling rule resets named users, which takes one more."""
    return [Permission.COURSES, Permission.USERS] if kind == RuleKind.ROLLING else [Permission.COURSES]


def acting_owner(session: Session, rule: Rule) -> Actor:
    """Returns the owner with their current permissions, under the rule's name: the audit shows that nobody clicked.

    Raises `UserUnknown` if the owner is deactivated, and `Forbidden`.
    """
    if rule.owner_id is None:
        return Actor(rule.organization_id, f"rule:{rule.id}", None, frozenset(MANAGEMENT))
    owner = still_acting(session, rule.organization_id, rule.owner_id, *needed(rule.kind))
    return Actor(rule.organization_id, f"rule:{rule.id}", owner.user_id, owner.permissions)


def reach(session: Session, course_id: int, group_id: int | None) -> int:
    """Returns how many learners a rule could reach now, completed or not: completions come and go every year."""
    now = session.scalars(select(func.clock_timestamp())).one()
    audience = Audience.ASSIGNED if group_id is None else Audience.GROUP
    everyone = in_audience(Aim(course_id, audience, group_id, now))
    return session.scalars(select(func.count()).select_from(Enrolment).where(everyone)).one()


def check_growth(session: Session, rule: Rule) -> None:
    """Raises `BrakeHolds` if the rule reaches over half as many learners again as when it was confirmed."""
    now = reach(session, rule.course_id, rule.group_id)
    if now > rule.confirmed_reach * GROWTH:
        raise BrakeHolds(
            "Its audience has grown from {before:,} to {now:,} learners since it was confirmed.",
            before=rule.confirmed_reach,
            now=now,
        )


def check_caps(learners: int, most_learners: int | None, most_a_day: int | None) -> None:
    """Raises `BrakeHolds` if one occurrence has more learners than either limit allows."""
    if most_learners is not None and learners > most_learners:
        raise BrakeHolds(
            "It would reset {learners:,} learners at once; its limit is {most_learners:,}.",
            learners=learners,
            most_learners=most_learners,
        )
    if most_a_day is not None and learners > most_a_day:
        raise BrakeHolds(
            "It would reset {learners:,} learners in one day; its daily limit is {most_a_day:,}.",
            learners=learners,
            most_a_day=most_a_day,
        )


def room_today(session: Session, rule: Rule, now: datetime) -> int | None:
    """Returns how many learners the rule may still reset today, on its clock; `None` if it has no daily limit."""
    if rule.most_a_day is None:
        return None
    since = moment(on_the_clock(now, rule.time_zone).replace(hour=0, minute=0, second=0, microsecond=0), rule.time_zone)
    begun = select(func.coalesce(func.sum(Occurrence.learners), 0)).where(
        Occurrence.rule_id == rule.id, Occurrence.begun_at >= since
    )
    return max(0, rule.most_a_day - int(session.scalars(begun).one() or 0))


def tomorrow(rule: Rule, now: datetime) -> datetime:
    """Returns the moment at which the next day begins on the rule's clock."""
    today = on_the_clock(now, rule.time_zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return moment(today + timedelta(days=1), rule.time_zone)
