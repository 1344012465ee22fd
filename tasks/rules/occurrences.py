"""The occurrences of a retraining rule, written before they are due so that learners can be warned."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import takewhile

from sqlalchemy import ColumnElement, DateTime, Select, and_, func, literal, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from models.due_completions import DueCompletions
from models.events import Event
from models.exemptions import exempt_at
from models.notifications import Notification, NotificationKind
from models.people import User
from models.preferences import wants_alert
from models.resets import Audience
from models.retraining import Occurrence, OccurrenceState, Rule, RuleKind
from models.training import Enrolment
from tasks.reset.audience import in_audience
from tasks.rules.brakes import Aim
from tasks.rules.recurrence import completions_due, due_after, due_days, on_the_clock

OPEN = (OccurrenceState.PLANNED, OccurrenceState.WAITING)


def write_occurrences(session: Session, rule: Rule, now: datetime) -> None:
    """Write what is due by now, and as many days ahead as the rule warns. Existing occurrences stay unchanged.

    Starts at `rule.seen_until`: a date in the past never fires.
    """
    ahead = now + timedelta(days=rule.warn_days)
    if rule.kind == RuleKind.ROLLING:
        assert rule.at_time
        for day, due_at in due_days(rule.seen_until, ahead, rule.at_time, rule.time_zone):
            session.execute(_insert_due(rule, day, due_at, now))
    elif rule.kind != RuleKind.EVENT:
        assert rule.starts
        due = due_after(rule.recurrence, rule.starts, rule.time_zone, rule.seen_until)
        if rows := [{"rule_id": rule.id, "due_at": at} for at in takewhile(lambda at: at <= ahead, due)]:
            session.execute(postgresql.insert(Occurrence).on_conflict_do_nothing(), rows)


def _insert_due(rule: Rule, day: date, due_at: datetime, now: datetime) -> postgresql.Insert:
    enrolments = due_enrolments(rule, day, now).subquery()
    columns = [Occurrence.rule_id, Occurrence.due_at, Occurrence.enrolment_id]
    rows = select(literal(rule.id), literal(due_at, DateTime(timezone=True)), enrolments.c.id)
    return postgresql.insert(Occurrence).from_select(columns, rows).on_conflict_do_nothing()


def due_enrolments(rule: Rule, day: date, now: datetime) -> Select[int]:
    """Returns the enrolments whose completion comes due on this day of the rule's clock."""
    assert rule.months
    first, end = completions_due(day, rule.months, rule.time_zone)
    return select(Enrolment.id).where(DueCompletions(rule.course_id, rule.group_id, now).between(first, end))


def still_due(rule: Rule, due_at: datetime, now: datetime) -> ColumnElement[bool]:
    """The condition that an enrolment due at `due_at` still is: not reset, unassigned or completed again since."""
    assert rule.months
    _, end = completions_due(on_the_clock(due_at, rule.time_zone).date(), rule.months, rule.time_zone)
    return DueCompletions(rule.course_id, rule.group_id, now).between(None, end)


def warn(session: Session, rule: Rule, now: datetime) -> None:
    """Write the warnings for planned occurrences that are not due yet, one for each occurrence and learner.

    Who will be exempt when it is due is not warned.
    """
    if not rule.warn_days:
        return
    unwarned = and_(
        Occurrence.rule_id == rule.id,
        Occurrence.state == OccurrenceState.PLANNED,
        Occurrence.due_at > now,
        Occurrence.warned_at.is_(None),
    )
    if rule.kind == RuleKind.ROLLING:
        _write_warnings(session, unwarned, Enrolment.id == Occurrence.enrolment_id)
    else:
        for occurrence in session.scalars(select(Occurrence).where(unwarned)):
            learners = in_audience(aim_of(session, rule, event_of(session, occurrence)))
            _write_warnings(session, Occurrence.id == occurrence.id, learners)
    session.execute(update(Occurrence).where(unwarned).values(warned_at=now))


def _write_warnings(session: Session, which: ColumnElement[bool], learners: ColumnElement[bool]) -> None:
    rows = (
        select(Occurrence.id, User.id, Enrolment.course_id, literal(NotificationKind.RETRAINING_AHEAD.value))
        .select_from(Occurrence)
        .join(Enrolment, learners)
        .join(User, User.id == Enrolment.user_id)
        .where(which, wants_alert(Enrolment.course_id), ~exempt_at(Occurrence.due_at))
    )
    columns = [Notification.occurrence_id, Notification.user_id, Notification.course_id, Notification.kind]
    session.execute(postgresql.insert(Notification).from_select(columns, rows).on_conflict_do_nothing())


def aim_of(session: Session, rule: Rule, event: Event | None = None) -> Aim:
    """Returns the rule's audience at this moment; for an event that names a group or persons, those of them in it."""
    now = session.scalars(select(func.clock_timestamp())).one()
    if event is not None and event.user_ids is not None:
        return Aim(rule.course_id, Audience.USERS, None, now, _of_the_rule(session, rule, event.user_ids, now))
    if event is not None and event.group_id is not None:
        return Aim(rule.course_id, Audience.GROUP, event.group_id, now)
    return Aim(rule.course_id, rule.audience, rule.group_id, now)


def _of_the_rule(session: Session, rule: Rule, user_ids: list[int], now: datetime) -> list[int]:
    """Returns those of the users who are assigned the course and in the rule's group, if it has one."""
    aim = in_audience(Aim(rule.course_id, rule.audience, rule.group_id, now))
    theirs = select(Enrolment.user_id).where(aim, Enrolment.user_id.in_(user_ids)).order_by(Enrolment.user_id)
    return list(session.scalars(theirs))


def event_of(session: Session, occurrence: Occurrence) -> Event | None:
    """Returns the event that made the occurrence due, `None` for other kinds of rules."""
    return session.get_one(Event, occurrence.event_id) if occurrence.event_id is not None else None


def skip(session: Session, rule: Rule, reason: str, *which: ColumnElement[bool]) -> None:
    """Skip these open occurrences of the rule, with the reason."""
    session.execute(
        update(Occurrence)
        .where(Occurrence.rule_id == rule.id, Occurrence.state.in_(OPEN), *which)
        .values(state=OccurrenceState.SKIPPED, reason=reason)
        .execution_options(synchronize_session=False)
    )


def next_look(session: Session, rule: Rule, now: datetime) -> datetime | None:
    """Returns when the rule needs attention next, `None` if the clock alone never makes it due."""
    ready_at = func.coalesce(Occurrence.released_at, Occurrence.due_at)
    planned = session.scalar(
        select(func.min(ready_at)).where(Occurrence.rule_id == rule.id, Occurrence.state == OccurrenceState.PLANNED)
    )
    return min((moment for moment in (planned, *_next_to_write(rule, now)) if moment is not None), default=None)


def _next_to_write(rule: Rule, now: datetime) -> Iterator[datetime]:
    ahead = timedelta(days=rule.warn_days)
    if rule.kind == RuleKind.ROLLING:
        assert rule.at_time
        yield next(due_days(now, now + timedelta(days=3), rule.at_time, rule.time_zone))[1]
    elif rule.kind != RuleKind.EVENT:
        assert rule.starts
        for due_at in due_after(rule.recurrence, rule.starts, rule.time_zone, now + ahead):
            yield due_at - ahead
            return
