"""What is ahead for a course: its open resets, and its rules with the next time that each is due."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from config.languages import gettext
from models.access import Actor, Permission
from models.resets import SETTLED, ResetState
from models.retraining import Rule, RuleKind, RuleState
from tasks.reset.lookup import ResetFilter, resets_listed
from tasks.reset.outcomes import state_in_words
from tasks.rules.next_due import next_due_of
from tasks.rules.terms import terms_of_each, when_in_words, whom_in_words

MOST_SHOWN = 10  # of each
BEGUN = tuple(state for state in ResetState if state not in SETTLED | {ResetState.REQUESTED})


@dataclass(frozen=True)
class Ahead:
    """A reset that is open, or a rule that will start one."""

    kind: Literal["reset", "rule"]
    id: UUID
    state: str  # in words
    at: datetime | None  # when it starts or is due next; `None` if that is not known, or it has started
    time_zone: str | None  # of a rule's clock
    words: str  # the reason, or what the rule does
    learners: int | None  # once they are known


def ahead_of(session: Session, actor: Actor, course_id: int, course_code: str) -> list[Ahead]:
    """Returns what the actor may see: open resets, those that begin first coming first; then active and held rules."""
    found: list[Ahead] = []
    for states in (BEGUN, (ResetState.REQUESTED,)):
        which, left = ResetFilter(states, course_code), MOST_SHOWN - len(found)
        for line, _ in resets_listed(session, actor, which, sort="start", limit=left) if left else ():
            words = state_in_words(line.reset, line.paused, line.place)
            at = line.reset.start_at if line.reset.state == ResetState.REQUESTED else None
            found.append(Ahead("reset", line.reset.id, words, at, None, line.reset.reason, line.reset.learners))
    return found + (_rules(session, actor, course_id) if Permission.COURSES in actor.permissions else [])


def _rules(session: Session, actor: Actor, course_id: int) -> list[Ahead]:
    query = (
        select(Rule)
        .where(
            Rule.organization_id == actor.organization_id,
            Rule.course_id == course_id,
            Rule.state.in_((RuleState.ACTIVE, RuleState.WAITING)),
        )
        .order_by(Rule.created_at)
        .limit(MOST_SHOWN)
    )
    found = []
    rules = session.scalars(query).all()
    for rule, terms in zip(rules, terms_of_each(session, rules), strict=True):
        words = rule.name or gettext("for {whom}, {when}", whom=whom_in_words(terms), when=when_in_words(terms))
        at = next_due_of(session, rule, terms)
        if at is not None or rule.kind == RuleKind.EVENT or rule.state == RuleState.WAITING:
            found.append(Ahead("rule", rule.id, rule.state.value, at, rule.time_zone, words, None))
    return sorted(found, key=lambda one: (one.at is None, one.at or 0))
