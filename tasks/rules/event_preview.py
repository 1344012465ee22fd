"""What an event would do before it is reported: the rules that it makes due, and whom they would reset."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, false, func, or_, select
from sqlalchemy.orm import Session

from config.languages import gettext
from models.access import Actor, Permission
from models.events import Event, EventKind
from models.people import User
from models.refusals.base import Refused
from models.retraining import Rule, RuleState
from models.training import Enrolment
from tasks.reset.exclusions import to_be_reset
from tasks.rules.brakes import acting_owner
from tasks.rules.events import rules_for, told_of
from tasks.rules.occurrences import aim_of
from tasks.rules.terms import Terms, terms_of, whom_in_words

NAMES_SHOWN = 5


@dataclass(frozen=True)
class DueRule:
    """A rule that the event makes due."""

    rule: Rule
    whom: str  # the rule's own audience, in words
    due_at: datetime | None  # None: skipped, since the rule is paused
    learners: int  # as things are now
    names: list[str]  # of some of them
    held: str  # why its reset will wait until the rule is confirmed again; empty if nothing is known to hold it


@dataclass(frozen=True)
class EventPreview:
    """What the event would do. Changes nothing."""

    rules: list[DueRule]
    learners: int  # each once; without those of paused rules


def preview_event(
    session: Session,
    actor: Actor,
    *,
    kind: EventKind,
    course: str,
    reason: str,
    group: str | None = None,
    users: Sequence[str] | None = None,
) -> EventPreview:
    """Returns what the event would do if it were reported now. Raises the refusals of `report_event`."""
    told = told_of(session, actor, kind=kind, course=course, reason=reason, group=group, users=users)
    with session.no_autoflush:
        event = Event(**told)  # never added to the session
    now = datetime.now(UTC)
    found: list[DueRule] = []
    conditions: list[ColumnElement[bool]] = [false()]
    for rule in session.scalars(rules_for(event)).all():
        learners = to_be_reset(aim_of(session, rule, event))
        if rule.state != RuleState.PAUSED:
            conditions.append(learners)
        count = session.scalars(select(func.count()).select_from(Enrolment).where(learners)).one()
        found.append(_due(session, rule, event, now, count, _names(session, learners)))
    each = select(func.count()).select_from(Enrolment).where(or_(*conditions))
    return EventPreview(found, session.scalars(each).one())


def _due(session: Session, rule: Rule, event: Event, now: datetime, learners: int, names: list[str]) -> DueRule:
    terms: Terms = terms_of(session, rule)
    due_at = None if rule.state == RuleState.PAUSED else now + timedelta(days=rule.warn_days)
    return DueRule(rule, whom_in_words(terms), due_at, learners, names, _held(session, rule, event))


def _held(session: Session, rule: Rule, event: Event) -> str:
    if rule.state == RuleState.PAUSED:
        return ""
    if rule.state == RuleState.WAITING:
        return rule.waits_for or ""
    try:
        owner = acting_owner(session, rule)
        if event.user_ids is not None:
            owner.must_have(Permission.USERS)
    except Refused:
        return gettext("Its owner may no longer reset these learners. Someone who may must confirm the rule again.")
    return ""


def _names(session: Session, learners: ColumnElement[bool]) -> list[str]:
    first = select(Enrolment.user_id).where(learners).limit(NAMES_SHOWN).subquery()
    return list(session.scalars(select(User.name).join(first, first.c.user_id == User.id).order_by(User.name)))
