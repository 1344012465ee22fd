"""When a retraining rule is due next."""

from datetime import UTC, date, datetime, timedelta
from itertools import islice

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.due_completions import DueCompletions
from models.retraining import Rule, RuleKind, RuleState
from tasks.rules.recurrence import completions_due, due_after, due_on, moment, on_the_clock
from tasks.rules.terms import MORNING, Terms

UPCOMING = 12  # due times


def next_due(terms: Terms, count: int = UPCOMING) -> list[datetime]:
    """Returns the next due times of a calendar rule or a one-time rule; an empty list for other kinds."""
    if terms.starts is None:
        return []
    return list(islice(due_after(terms.recurrence, terms.starts, terms.time_zone, datetime.now(UTC)), count))


def next_due_of(session: Session, rule: Rule, terms: Terms) -> datetime | None:
    """Returns when the rule, which has these terms, is due next as things are now, `None` if no time is known."""
    if rule.state != RuleState.ACTIVE or rule.kind == RuleKind.EVENT:
        return None
    if rule.kind == RuleKind.ROLLING:
        now = session.scalars(select(func.now())).one()
        day = next_due_day(session, DueCompletions(rule.course_id, rule.group_id, now), terms, first_day(terms))
        return None if day is None else due_at(terms, day)
    return next(iter(next_due(terms, 1)), None)


def first_day(terms: Terms) -> date:
    """Returns the next day of the clock on which a rolling rule can still be due: today or tomorrow."""
    now = datetime.now(UTC)
    today = on_the_clock(now, terms.time_zone).date()
    return today if due_at(terms, today) > now else today + timedelta(days=1)


def next_due_day(session: Session, completions: DueCompletions, terms: Terms, day: date) -> date | None:
    """Returns the first day from `day` on which one of the completions comes due, `None` if there is none."""
    assert terms.months
    completed = completions.earliest(session, completions_due(day, terms.months, terms.time_zone)[0])
    if completed is None:
        return None
    # Where the clock shows midnight twice, a completion after the first one can still be on the day before.
    return max(day, due_on(on_the_clock(completed, terms.time_zone).date(), terms.months))


def due_at(terms: Terms, day: date) -> datetime:
    """Returns the moment on this day at which a rolling rule is due."""
    return moment(datetime.combine(day, terms.at_time or MORNING), terms.time_zone)
