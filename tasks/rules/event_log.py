"""Reported events as people look at them: the list, and what each has made due."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from models.access import Actor, Permission
from models.events import Event, EventSource
from models.groups import Group
from models.people import User
from models.refusals.events import EventUnknown
from models.retraining import Occurrence, OccurrenceState, Rule
from models.training import Course


@dataclass(frozen=True)
class EventLine:
    """A reported event."""

    event: Event
    course: str  # its code
    group: str | None  # its name
    reporter: str  # a user's name, or the source's
    rules: int  # that it made due


@dataclass(frozen=True)
class Consequence:
    """A rule that an event made due."""

    rule: Rule
    due_at: datetime
    state: OccurrenceState
    reason: str | None
    reset_id: UUID | None
    learners: int | None


def events_seen_by(session: Session, actor: Actor, *, before: int | None = None, limit: int) -> list[EventLine]:
    """Returns up to `limit` of the organization's events, latest first, before the one with this id. Raises
    `Forbidden`."""
    return _lines(session, actor, Event.id < before if before is not None else Event.id > 0, limit)


def event_line(session: Session, actor: Actor, event_id: int) -> EventLine:
    """Returns the organization's event with this id. Raises `Forbidden`, `EventUnknown`."""
    found = _lines(session, actor, Event.id == event_id, 1)
    if not found:
        raise EventUnknown
    return found[0]


def consequences_of(session: Session, event: Event) -> Sequence[Consequence]:
    """Returns the rules that the event made due, in order of their creation."""
    query = (
        select(Rule, Occurrence.due_at, Occurrence.state, Occurrence.reason, Occurrence.reset_id, Occurrence.learners)
        .join(Rule, Rule.id == Occurrence.rule_id)
        .where(Occurrence.event_id == event.id)
        .order_by(Rule.id)
    )
    return [Consequence(*row) for row in session.execute(query)]


def _lines(session: Session, actor: Actor, which: ColumnElement[bool], limit: int) -> list[EventLine]:
    actor.must_have(Permission.COURSES)
    rules = select(func.count()).where(Occurrence.event_id == Event.id).scalar_subquery()
    query = (
        select(Event, Course.code, Group.name, rules)
        .join(Course, Course.id == Event.course_id)
        .outerjoin(Group, Group.id == Event.group_id)
        .where(Event.organization_id == actor.organization_id, which)
        .order_by(Event.id.desc())
        .limit(limit)
    )
    found = session.execute(query).all()
    names = _reporters(session, [event for event, *_ in found])
    return [
        EventLine(event, course, group, names.get(event.reporter, event.reporter), count)
        for event, course, group, count in found
    ]


def _reporters(session: Session, events: Sequence[Event]) -> dict[str, str]:
    """Returns the names of the users and sources that reported these events, by what their rows say."""
    parted = {event.reporter: event.reporter.partition(":") for event in events}
    users = [int(rest) for kind, _, rest in parted.values() if kind == "user"]
    sources = [UUID(rest) for kind, _, rest in parted.values() if kind == "source"]
    found = {f"user:{key}": name for key, name in session.execute(select(User.id, User.name).where(User.id.in_(users)))}
    of_sources = select(EventSource.id, EventSource.name).where(EventSource.id.in_(sources))
    return found | {f"source:{key}": name for key, name in session.execute(of_sources)}
