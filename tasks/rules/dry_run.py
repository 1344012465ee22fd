"""Dry run: when a retraining rule is due next, and who would be reset then. Changes nothing."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Date, cast, func, select
from sqlalchemy.orm import Session

from models.groups import group_by_code
from models.people import User
from models.retraining import RuleKind
from models.training import Course, Enrolment
from tasks.reset.audience import in_audience
from tasks.rules.brakes import Aim
from tasks.rules.proposals import SHOWN_AHEAD, next_due
from tasks.rules.recurrence import completed_until, due_on, moment
from tasks.rules.terms import MORNING, Terms

NAMES_SHOWN = 5


@dataclass(frozen=True)
class Ahead:
    """One due time that lies ahead; none if it waits for an event."""

    due_at: datetime | None
    learners: int  # as things are now
    names: list[str]  # of a few of them


def dry_run(session: Session, organization_id: int, terms: Terms, count: int = SHOWN_AHEAD) -> list[Ahead]:
    """The next so many occurrences of a rule with these terms, and whom each would reset as things are now.

    Raises `GroupUnknown`.
    """
    course = session.scalars(
        select(Course).where(Course.organization_id == organization_id, Course.code == terms.course)
    ).one()
    group = group_by_code(session, organization_id, terms.group) if terms.group is not None else None
    now = session.scalars(select(func.clock_timestamp())).one()
    aim = Aim(course.id, terms.audience, group.id if group else None, now)
    if terms.kind == RuleKind.ROLLING:
        return _by_completion(session, aim, terms, count)
    learners, names = _who(session, aim)
    moments = [None] if terms.kind == RuleKind.EVENT else next_due(terms, count)
    return [Ahead(due_at, learners, names) for due_at in moments]


def _by_completion(session: Session, aim: Aim, terms: Terms, count: int) -> list[Ahead]:
    """The next days on which completions come due, on the rule's clock: a row a day of completion is read."""
    assert terms.months
    day = cast(func.timezone(terms.time_zone, Enrolment.completed_at), Date)
    everyone = in_audience(aim) & Enrolment.completed_at.is_not(None)
    due: Counter[date] = Counter()
    for completed, learners in session.execute(select(day, func.count()).where(everyone).group_by(day)):
        due[due_on(completed, terms.months)] += learners
    ahead = []
    for due_day in sorted(due):
        due_at = moment(datetime.combine(due_day, terms.at_time or MORNING), terms.time_zone)
        if due_at <= datetime.now(UTC):
            continue  # a past date never fires
        first, last = completed_until(due_day - timedelta(days=1), terms.months), completed_until(due_day, terms.months)
        names = session.scalars(
            select(User.name)
            .join(Enrolment, Enrolment.user_id == User.id)
            .where(everyone, day > first, day <= last)
            .order_by(User.name)
            .limit(NAMES_SHOWN)
        )
        ahead.append(Ahead(due_at, due[due_day], list(names)))
        if len(ahead) == count:
            break
    return ahead


def _who(session: Session, aim: Aim) -> tuple[int, list[str]]:
    learners = session.scalars(select(func.count()).select_from(Enrolment).where(in_audience(aim))).one()
    first = select(Enrolment.user_id).where(in_audience(aim)).limit(NAMES_SHOWN).subquery()
    names = session.scalars(select(User.name).join(first, first.c.user_id == User.id).order_by(User.name))
    return learners, list(names)
