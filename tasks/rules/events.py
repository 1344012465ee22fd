"""Report an event: an incident, a non-compliance event or a changed procedure. Makes the rules due that wait for it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, insert, or_, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from models import audit
from models.access import Actor, Permission
from models.directory import course_of, users_by_address
from models.events import Event, EventKind
from models.groups import GroupMember, group_by_code
from models.refusals.events import EventMismatch
from models.refusals.resets import AudienceInvalid, ReasonMissing
from models.retraining import Occurrence, OccurrenceState, Rule, RuleKind, RuleState
from tasks.reset.plan import MOST_NAMED_USERS
from tasks.rules.lifecycle import PAUSED


def report_event(
    session: Session,
    actor: Actor,
    *,
    kind: EventKind,
    course: str,
    reason: str,
    key: str,
    group: str | None = None,
    users: Sequence[str] | None = None,
    reporter: str | None = None,
) -> Event:
    """Record the event, and an occurrence for each rule that it makes due. The next tick begins them.

    The same key from the same reporter returns the event already recorded. `group` limits it to the members of a
    group, `users` to these persons, by address or external id; to name persons also takes the permission for users.
    Raises `Forbidden`, `CourseUnknown`, `GroupUnknown`, `UserUnknown`, `AudienceInvalid`, `ReasonMissing`,
    `EventMismatch`.
    """
    values = told_of(session, actor, kind=kind, course=course, reason=reason, group=group, users=users)
    values |= {"reporter": reporter or actor.name, "key": key}
    now = datetime.now(UTC)
    written = session.scalar(
        postgresql.insert(Event).values(**values, reported_at=now).on_conflict_do_nothing().returning(Event.id)
    )
    event = session.scalars(
        select(Event).where(*(getattr(Event, name) == values[name] for name in ("organization_id", "reporter", "key")))
    ).one()
    if any(getattr(event, name) != value for name, value in values.items()):
        raise EventMismatch
    if written is not None:
        rules = _write_occurrences(session, event, now)
        audit.record(
            session,
            event.reporter,
            "event.reported",
            event.id,
            event.organization_id,
            kind=kind,
            course=course,
            group=group,
            persons=values["user_ids"],
            reason=event.reason,
            rules=[str(rule.id) for rule in rules],
        )
    return event


def told_of(
    session: Session,
    actor: Actor,
    *,
    kind: EventKind,
    course: str,
    reason: str,
    group: str | None,
    users: Sequence[str] | None,
) -> dict[str, Any]:
    """Returns what is told of an event, as its row holds it. Raises the refusals of `report_event`."""
    actor.must_have(Permission.COURSES)
    course_id = course_of(session, actor.organization_id, course).id
    if not (reason := reason.strip()):
        raise ReasonMissing
    return {
        "organization_id": actor.organization_id,
        "kind": kind,
        "course_id": course_id,
        "group_id": group_by_code(session, actor.organization_id, group).id if group is not None else None,
        "user_ids": None if users is None else _persons(session, actor, users, group),
        "reason": reason,
    }


def _persons(session: Session, actor: Actor, users: Sequence[str], group: str | None) -> list[int]:
    actor.must_have(Permission.USERS)
    if group is not None:
        raise AudienceInvalid("An event concerns a group or persons, not both. Leave one of them out.")
    if not 1 <= len(users) <= MOST_NAMED_USERS:
        raise AudienceInvalid(
            "Name 1 to {most_named_users:,} persons, or choose a group, or everyone.", most_named_users=MOST_NAMED_USERS
        )
    return sorted(user.id for user in users_by_address(session, actor.organization_id, users))


def rules_of(session: Session, event: Event) -> int:
    """Returns how many rules the event made due."""
    return session.scalars(select(func.count()).where(Occurrence.event_id == event.id)).one()


def rules_for(event: Event) -> Select[Rule]:
    """Returns the query for the rules that the event makes due."""
    query = select(Rule).where(
        Rule.course_id == event.course_id,
        Rule.organization_id == event.organization_id,
        Rule.kind == RuleKind.EVENT,
        Rule.state.in_((RuleState.ACTIVE, RuleState.WAITING, RuleState.PAUSED)),
        or_(Rule.event_kind.is_(None), Rule.event_kind == event.kind),
    )
    if event.group_id is not None:
        query = query.where(or_(Rule.group_id.is_(None), Rule.group_id == event.group_id))
    if event.user_ids is not None:
        of_them = select(GroupMember).where(
            GroupMember.group_id == Rule.group_id, GroupMember.user_id.in_(event.user_ids)
        )
        query = query.where(or_(Rule.group_id.is_(None), of_them.exists()))
    return query.order_by(Rule.id)


def _write_occurrences(session: Session, event: Event, now: datetime) -> list[Rule]:
    rules = list(session.scalars(rules_for(event).with_for_update(key_share=True)))
    for rule in rules:
        paused = rule.state == RuleState.PAUSED
        session.execute(
            insert(Occurrence).values(
                rule_id=rule.id,
                event_id=event.id,
                due_at=now + timedelta(days=rule.warn_days),
                state=OccurrenceState.SKIPPED if paused else OccurrenceState.PLANNED,
                reason=PAUSED if paused else None,
            )
        )
        rule.look_at = now
    return rules
