"""Make a proposed retraining rule, confirm it again, pause, resume and remove it.

A rule is confirmed as a reset is: with a signed proposal that says what it would do, and the course code typed. One
confirmation stands for all resets of the rule, so the rule keeps who gave it, when, and what they were shown.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from config.languages import translatable
from config.languages.stored import stored
from config.settings import settings
from models import audit
from models.access import Actor, Permission
from models.directory import course_of
from models.groups import group_by_code
from models.refusals.resets import ConfirmMismatch, PlanExpired, PlanInvalid
from models.refusals.rules import RuleChanged, RuleStateConflict, RuleUnknown
from models.retraining import RULE_TRANSITIONS, Occurrence, OccurrenceState, Rule, RuleKind, RuleState
from models.session import changed_rows
from tasks.rules.brakes import check_caps, needed
from tasks.rules.change import change_terms
from tasks.rules.occurrences import skip, write_occurrences
from tasks.rules.proposals import (
    CHANGEABLE,
    CONFIRMABLE,
    Proposal,
    changes_of,
    check_room,
    opened_proposal,
)
from tasks.rules.terms import Figures, Terms, checked_terms

PAUSED = stored("the rule was paused")
REMOVED = stored("the rule was removed")


def make_rule(session: Session, actor: Actor, *, proposal: str, confirm: str) -> Rule:
    """Make the proposed rule. The same proposal again returns the rule that it made.

    Raises `PlanInvalid`, `PlanExpired`, `Forbidden`, `ConfirmMismatch`, and the refusals of `checked_terms`.
    """
    proposed = _confirmed(actor, proposal, confirm, again=False)
    if (earlier := session.get(Rule, proposed.id)) is not None:
        return earlier
    _check_not_expired(proposed)
    terms, now = checked_terms(proposed.terms), datetime.now(UTC)
    check_room(session, actor.organization_id, hold=True)
    course = course_of(session, actor.organization_id, terms.course)
    group = group_by_code(session, actor.organization_id, terms.group) if terms.group is not None else None
    made = session.scalar(
        insert(Rule)
        .values(
            id=proposed.id,
            organization_id=actor.organization_id,
            course_id=course.id,
            group_id=group.id if group else None,
            **{term: getattr(terms, term) for term in Terms.model_fields if term not in ("course", "group")},
            **_confirmation(actor, proposed.figures, now),
            seen_until=now,
            look_at=None if terms.kind == RuleKind.EVENT else now,
        )
        .on_conflict_do_nothing()  # a double click races itself
        .returning(Rule.id)
    )
    rule = session.get_one(Rule, proposed.id)
    if made is not None:
        _record(
            session, actor, rule, "rule.made", confirmed=rule.confirmed_preview, terms=terms.model_dump(mode="json")
        )
    return rule


def confirm_again(session: Session, actor: Actor, *, proposal: str, confirm: str) -> Rule:
    """Confirm a rule again, with changed terms if the proposal has any. The actor becomes its owner, and waiting
    occurrences go on; a paused rule stays paused.

    Raises `PlanInvalid`, `PlanExpired`, `Forbidden`, `ConfirmMismatch`, `RuleStateConflict`, `BrakeHolds`;
    `RuleChanged` if someone changed the rule since it was proposed.
    """
    proposed = _confirmed(actor, proposal, confirm, again=True)
    _check_not_expired(proposed)
    rule = _locked(session, actor, proposed.id)
    now, terms = datetime.now(UTC), proposed.terms
    changed = sorted(changes_of(session, rule, terms))
    if changed and proposed.since is not None and proposed.since != rule.confirmed_at:  # it would undo their change
        raise RuleChanged
    if rule.state not in (CHANGEABLE if changed else CONFIRMABLE):
        raise RuleStateConflict(rule.state, translatable("changed") if changed else translatable("confirmed"))
    check_caps(_largest_waiting(session, rule, proposed.figures), terms.most_learners, None)
    for name, value in _confirmation(actor, proposed.figures, now).items():
        setattr(rule, name, value)
    if changed:
        change_terms(session, rule, terms, now)
    released = changed_rows(
        session,
        update(Occurrence)
        .where(Occurrence.rule_id == rule.id, Occurrence.state == OccurrenceState.WAITING)
        .values(state=OccurrenceState.PLANNED, reason=None, released_at=now),
    )
    if rule.state == RuleState.WAITING:
        rule.waits_for = None
        rule.move_to(RuleState.ACTIVE)
    rule.look_at = now
    _record(
        session, actor, rule, "rule.confirmed", confirmed=rule.confirmed_preview, released=released, changed=changed
    )
    return rule


def pause(session: Session, actor: Actor, rule: Rule) -> None:
    """Keep the rule from firing. Does nothing if it is paused. Raises `Forbidden`, `RuleStateConflict`."""
    rule = _locked(session, actor, rule.id)
    if rule.state != RuleState.PAUSED:
        _move(rule, RuleState.PAUSED, translatable("paused"))
        rule.waits_for = None
        _record(session, actor, rule, "rule.paused")


def resume(session: Session, actor: Actor, rule: Rule) -> None:
    """Let a paused rule fire again; what came due during the pause is skipped. Does nothing if it is active.

    Raises `Forbidden`, `RuleStateConflict`.
    """
    rule = _locked(session, actor, rule.id)
    if rule.state == RuleState.ACTIVE:
        return
    if rule.state != RuleState.PAUSED:
        raise RuleStateConflict(rule.state, translatable("resumed; only a paused rule can"))
    now = datetime.now(UTC)
    write_occurrences(session, rule, now)
    skip(session, rule, PAUSED, Occurrence.due_at <= now)
    rule.seen_until = now
    rule.move_to(RuleState.ACTIVE)
    rule.look_at = now
    _record(session, actor, rule, "rule.resumed")


def remove(session: Session, actor: Actor, rule: Rule) -> None:
    """Remove the rule for good. Its history stays, and running resets go on. Raises `Forbidden`."""
    rule = _locked(session, actor, rule.id)
    if rule.state != RuleState.REMOVED:
        skip(session, rule, REMOVED)
        _move(rule, RuleState.REMOVED, translatable("removed"))
        rule.waits_for = None
        rule.look_at = None
        _record(session, actor, rule, "rule.removed")


def _confirmed(actor: Actor, token: str, confirm: str, *, again: bool) -> Proposal:
    proposed = opened_proposal(token)
    if proposed.organization_id != actor.organization_id or proposed.again != again:
        raise PlanInvalid
    for permission in needed(proposed.terms.kind):
        actor.must_have(permission)
    if confirm != proposed.terms.course:
        raise ConfirmMismatch(proposed.terms.course)
    return proposed


def _check_not_expired(proposed: Proposal) -> None:
    if datetime.now(UTC) > proposed.figures.shown_at + timedelta(minutes=settings().plan_minutes):
        raise PlanExpired(settings().plan_minutes)


def _confirmation(actor: Actor, figures: Figures, now: datetime) -> dict[str, Any]:
    return {
        "owner_id": actor.user_id,
        "owner": actor.name,
        "confirmed_at": now,
        "confirmed_reach": figures.reach,
        "confirmed_preview": figures.model_dump(mode="json"),
    }


def _largest_waiting(session: Session, rule: Rule, figures: Figures) -> int:
    """Returns the number of learners of the largest waiting occurrence, which must fit the confirmed limits."""
    if rule.kind != RuleKind.ROLLING:
        return figures.learners if rule.state == RuleState.WAITING else 0
    largest = (
        select(func.count().label("learners"))
        .where(Occurrence.rule_id == rule.id, Occurrence.state == OccurrenceState.WAITING)
        .group_by(Occurrence.due_at)
        .subquery()
    )
    return session.scalar(select(func.max(largest.c.learners))) or 0


def _locked(session: Session, actor: Actor, rule_id: UUID) -> Rule:
    """Returns the rule, locked until the transaction ends, so that no tick overtakes the command."""
    actor.must_have(Permission.COURSES)
    rule = session.get(Rule, rule_id, with_for_update={"key_share": True}, populate_existing=True)
    if rule is None or rule.organization_id != actor.organization_id:
        raise RuleUnknown(rule_id)
    return rule


def _move(rule: Rule, state: RuleState, what: str) -> None:
    if state not in RULE_TRANSITIONS[rule.state]:
        raise RuleStateConflict(rule.state, what)
    rule.move_to(state)


def _record(session: Session, actor: Actor, rule: Rule, action: str, **details: Any) -> None:
    audit.record(session, actor, action, rule.id, rule.organization_id, **details)
