"""Dry run: when a retraining rule is due next, and who would be reset then. Changes nothing."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.directory import course_of
from models.due_completions import DueCompletions
from models.groups import group_by_code
from models.people import User
from models.retraining import RuleKind
from models.training import Enrolment
from tasks.reset.exclusions import to_be_reset
from tasks.rules.brakes import Aim
from tasks.rules.next_due import UPCOMING, due_at, first_day, next_due, next_due_day
from tasks.rules.recurrence import completions_due
from tasks.rules.terms import Terms

NAMES_SHOWN = 5


@dataclass(frozen=True)
class Ahead:
    """An upcoming occurrence of a rule."""

    due_at: datetime | None  # None if it waits for an event
    learners: int  # as things are now
    names: list[str]  # of some of them


def dry_run(session: Session, organization_id: int, terms: Terms, count: int = UPCOMING) -> list[Ahead]:
    """Returns the next `count` occurrences of a rule with these terms, and whom each would reset as things are now.

    Raises `CourseUnknown`, `GroupUnknown`.
    """
    course = course_of(session, organization_id, terms.course)
    group = group_by_code(session, organization_id, terms.group).id if terms.group is not None else None
    now = session.scalars(select(func.clock_timestamp())).one()
    if terms.kind == RuleKind.ROLLING:
        return _by_completion(session, DueCompletions(course.id, group, now), terms, count)
    learners, names = _learners(session, Aim(course.id, terms.audience, group, now))
    due_times = [None] if terms.kind == RuleKind.EVENT else next_due(terms, count)
    return [Ahead(at, learners, names) for at in due_times]


def _by_completion(session: Session, completions: DueCompletions, terms: Terms, count: int) -> list[Ahead]:
    assert terms.months
    ahead: list[Ahead] = []
    look_from = first_day(terms)
    while len(ahead) < count and (day := next_due_day(session, completions, terms, look_from)) is not None:
        first, end = completions_due(day, terms.months, terms.time_zone)
        names = completions.names(session, first, end, NAMES_SHOWN)
        ahead.append(Ahead(due_at(terms, day), completions.count(session, first, end), list(names)))
        look_from = day + timedelta(days=1)
    return ahead


def _learners(session: Session, aim: Aim) -> tuple[int, list[str]]:
    learners = session.scalars(select(func.count()).select_from(Enrolment).where(to_be_reset(aim))).one()
    first = select(Enrolment.user_id).where(to_be_reset(aim)).limit(NAMES_SHOWN).subquery()
    names = session.scalars(select(User.name).join(first, first.c.user_id == User.id).order_by(User.name))
    return learners, list(names)
