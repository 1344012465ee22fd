"""When a retraining rule is due next, as the list of rules says it: one look at an index a rule."""

from datetime import UTC, datetime, time, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.resets import Audience
from models.retraining import Rule, RuleKind, RuleState
from models.training import Enrolment
from tasks.reset.audience import members
from tasks.rules.proposals import next_due
from tasks.rules.recurrence import completed_until, due_on, moment, on_the_clock
from tasks.rules.terms import terms_of


def next_due_of(session: Session, rule: Rule) -> datetime | None:
    """When the rule is due next as things are now; none if that is not by the clock, or never again."""
    if rule.state != RuleState.ACTIVE or rule.kind == RuleKind.EVENT:
        return None
    if rule.kind == RuleKind.ROLLING:
        return _next_completion(session, rule)
    return next(iter(next_due(terms_of(session, rule), 1)), None)


def _next_completion(session: Session, rule: Rule) -> datetime | None:
    """When the first completion comes due whose time lies ahead: the first in a range of `ix_enrolment_completed`."""
    assert rule.months
    assert rule.at_time
    now = datetime.now(UTC)
    day = on_the_clock(now, rule.time_zone).date()
    if moment(datetime.combine(day, rule.at_time), rule.time_zone) <= now:
        day += timedelta(days=1)
    first = completed_until(day - timedelta(days=1), rule.months) + timedelta(days=1)
    query = select(func.min(Enrolment.completed_at)).where(
        Enrolment.course_id == rule.course_id,
        Enrolment.unassigned_at.is_(None),
        Enrolment.completed_at >= moment(datetime.combine(first, time(0)), rule.time_zone),
    )
    if rule.audience == Audience.GROUP:
        query = query.where(Enrolment.user_id.in_(members(rule.group_id, session.scalars(select(func.now())).one())))
    completed = session.scalar(query)
    if completed is None:
        return None
    due = due_on(on_the_clock(completed, rule.time_zone).date(), rule.months)
    return moment(datetime.combine(max(due, day), rule.at_time), rule.time_zone)
