"""Change the terms of a rule, and bring its coming occurrences in line with them."""

from datetime import datetime, timedelta
from itertools import takewhile

from sqlalchemy import ColumnElement, update
from sqlalchemy.orm import Session

from config.languages.stored import stored
from models.groups import group_by_code
from models.retraining import Occurrence, OccurrenceState, Rule, RuleKind
from tasks.rules.occurrences import due_enrolments, skip, write_occurrences
from tasks.rules.recurrence import due_after, due_days
from tasks.rules.terms import Terms

CHANGED = stored("the rule was changed")
SCHEDULE = ("time_zone", "starts", "recurrence", "months", "at_time")


def change_terms(session: Session, rule: Rule, terms: Terms, now: datetime) -> None:
    """Give the rule these terms, but for its course and kind, which stay.

    What came due under the former terms goes on. With another schedule, what was still to come is skipped, unless the
    new schedule has it too: then its learners are not warned again. Raises `GroupUnknown`.
    """
    write_occurrences(session, rule, now)
    rule.seen_until = max(rule.seen_until, now)
    moved = any(getattr(rule, term) != getattr(terms, term) for term in SCHEDULE)
    group = None if terms.group is None else group_by_code(session, rule.organization_id, terms.group)
    rule.group_id = None if group is None else group.id
    for term in Terms.model_fields:
        if term not in ("course", "kind", "group"):
            setattr(rule, term, getattr(terms, term))
    session.flush()
    if moved:
        to_come = Occurrence.due_at > now
        skip(session, rule, CHANGED, *([] if rule.kind == RuleKind.ONCE else [to_come]))
        write_occurrences(session, rule, now)
        _take_up_again(session, rule, now)


def _take_up_again(session: Session, rule: Rule, now: datetime) -> None:
    """Plan what a change has skipped and the rule has again: there is one row for each due time."""
    ahead = now + timedelta(days=rule.warn_days)
    if rule.kind == RuleKind.ROLLING:
        assert rule.at_time
        for day, due_at in due_days(now, ahead, rule.at_time, rule.time_zone):
            theirs = Occurrence.enrolment_id.in_(due_enrolments(rule, day, now))
            _plan_again(session, rule, (Occurrence.due_at == due_at) & theirs)
    elif rule.kind != RuleKind.EVENT:
        assert rule.starts
        due = due_after(rule.recurrence, rule.starts, rule.time_zone, now)
        _plan_again(session, rule, Occurrence.due_at.in_(list(takewhile(lambda at: at <= ahead, due))))


def _plan_again(session: Session, rule: Rule, which: ColumnElement[bool]) -> None:
    skipped = (Occurrence.state == OccurrenceState.SKIPPED) & (Occurrence.reason == CHANGED)
    session.execute(
        update(Occurrence)
        .where(Occurrence.rule_id == rule.id, skipped, which)
        .values(state=OccurrenceState.PLANNED, reason=None, released_at=None)
        .execution_options(synchronize_session=False)
    )
