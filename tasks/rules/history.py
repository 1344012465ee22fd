"""The list of retraining rules, and the history of a rule's occurrences."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Text, cast, func, select, tuple_
from sqlalchemy.orm import Session

from models.access import Actor, Permission
from models.listing import Count, Key, Listed, Orders, Place, contains, count_of, rank
from models.people import User
from models.retraining import Occurrence, OccurrenceState, Rule, RuleKind, RuleState
from models.training import Course

SHOWN = 100
NO_RESET = UUID(int=0)


@dataclass(frozen=True)
class Became:
    """Occurrences with the same due time and result; those of a rolling rule have one learner each."""

    due_at: datetime
    state: OccurrenceState
    reset_id: UUID | None
    reason: str | None
    occurrences: int
    learners: int

    @property
    def place(self) -> tuple[datetime, UUID, str, str]:
        """Its position in the history."""
        return self.due_at, self.reset_id or NO_RESET, self.state.value, self.reason or ""


def rules_seen_by(session: Session, actor: Actor) -> list[tuple[Rule, str]]:
    """Returns the organization's rules as `rules_of` does. Raises `Forbidden`."""
    actor.must_have(Permission.COURSES)
    return rules_of(session, [actor.organization_id])


_STATES = [RuleState.WAITING, *(state for state in RuleState if state != RuleState.WAITING)]
_AGE = (Key(Rule.created_at, datetime), Key(Rule.id, UUID))

RULE_ORDERS = Orders(
    "state",
    {
        "state": (Key(rank(Rule.state, _STATES), int), *_AGE),
        "course": (Key(Course.code, str), *_AGE),
        "name": (Key(Rule.name, str, nullable=True), *_AGE),
        "created": _AGE,
    },
    down=("created",),
)


@dataclass(frozen=True)
class RuleFilter:
    """What rules a list shows; by default, all that are not removed."""

    search: str = ""  # a part of the course's code or title, the name or the reason
    state: RuleState | None = None
    kind: RuleKind | None = None


def rules_listed(
    session: Session,
    actor: Actor,
    which: RuleFilter = RuleFilter(),
    *,
    sort: str = "",
    after: Place | None = None,
    limit: int,
) -> list[Listed[tuple[Rule, str]]]:
    """Returns up to `limit` of the organization's rules that match, with their course codes, after the place `after`.

    Usually those that wait for someone come first. Raises `Forbidden`.
    """
    order = RULE_ORDERS.named(sort)
    query = _that_match(actor, which, select(Rule, Course.code))
    return [((row[0], row[1]), order.place(row)) for row in order.rows(session, query, after, limit)]


def count_rules(session: Session, actor: Actor, which: RuleFilter = RuleFilter()) -> Count:
    """Returns how many of the organization's rules match. Raises `Forbidden`."""
    return count_of(session, _that_match(actor, which, select(Rule.id)))


def _that_match(actor: Actor, which: RuleFilter, query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    actor.must_have(Permission.COURSES)
    query = query.select_from(Rule).join(Course, Course.id == Rule.course_id)
    query = query.where(Rule.organization_id == actor.organization_id, Rule.state != RuleState.REMOVED)
    query = query.where(*contains(which.search, Course.code, Course.title, Rule.name, Rule.reason))
    if which.state is not None:
        query = query.where(Rule.state == which.state)
    return query if which.kind is None else query.where(Rule.kind == which.kind)


def history_of(
    session: Session, rule: Rule, *, after: tuple[datetime, UUID, str, str] | None = None, limit: int = SHOWN
) -> list[Became]:
    """Returns the rule's occurrences, latest first, after the position `after`."""
    columns = (Occurrence.due_at, Occurrence.state, Occurrence.reset_id, Occurrence.reason)
    place = tuple_(
        Occurrence.due_at,
        func.coalesce(Occurrence.reset_id, NO_RESET),
        cast(Occurrence.state, Text),
        func.coalesce(Occurrence.reason, ""),
    )
    query = (
        select(*columns, func.count(), func.coalesce(func.sum(Occurrence.learners), 0))
        .where(Occurrence.rule_id == rule.id)
        .group_by(*columns)
        .order_by(*(part.desc() for part in place))
        .limit(limit)
    )
    if after is not None:
        query = query.where(place < after)
    return [Became(*row[:5], int(row[5] or 0)) for row in session.execute(query)]


def owner_of(session: Session, rule: Rule) -> str:
    """Returns the name of the user who confirmed the rule last, or the account at the console."""
    return session.get_one(User, rule.owner_id).name if rule.owner_id else rule.owner


def open_occurrences_of(session: Session, rule: Rule) -> int:
    """Returns how many of the rule's occurrences are not settled or skipped yet."""
    unfinished = (OccurrenceState.PLANNED, OccurrenceState.WAITING, OccurrenceState.REQUESTED)
    mine = select(func.count()).where(Occurrence.rule_id == rule.id, Occurrence.state.in_(unfinished))
    return session.scalars(mine).one()


def rules_of(session: Session, organization_ids: Sequence[int]) -> list[tuple[Rule, str]]:
    """Returns these organizations' rules and their course codes, waiting rules first, without removed ones."""
    query = (
        select(Rule, Course.code)
        .join(Course, Course.id == Rule.course_id)
        .where(Rule.organization_id.in_(organization_ids), Rule.state != RuleState.REMOVED)
        .order_by(Rule.state != RuleState.WAITING, Rule.created_at, Rule.id)
    )
    return [(rule, code) for rule, code in session.execute(query)]
