"""Make a retraining rule, confirm it again, pause, resume and remove it.

A rule is confirmed as a reset is: from a proposal that says what it would do, signed, with the course code typed. That
one confirmation stands for all resets that it makes, so who gave it, when, and what they were shown stay on the rule.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from config.settings import settings, signing_keys
from models import audit
from models.access import Actor, Permission
from models.groups import group_by_code
from models.people import Organization
from models.refusals.resets import ConfirmMismatch, PlanExpired, PlanInvalid
from models.refusals.rules import RuleInvalid, RuleNotSo, RuleUnknown
from models.retraining import RULE_TRANSITIONS, Occurrence, OccurrenceState, Rule, RuleKind, RuleState
from models.session import changed_rows
from models.training import Course
from tasks.reset.impact import preview
from tasks.rules.brakes import check_caps, needed, reach
from tasks.rules.occurrences import skip, write_occurrences
from tasks.rules.recurrence import due_after
from tasks.rules.terms import Figures, Terms, checked_terms, in_sentences, terms_of

SHOWN_AHEAD = 12  # due times

PAUSED = "the rule was paused"
REMOVED = "the rule was removed"


@dataclass(frozen=True)
class Proposal:
    """A rule as it would be, or as it is and would be again, and what it would do now. Changes nothing."""

    id: UUID  # of the rule
    organization_id: int
    terms: Terms
    figures: Figures
    again: bool  # whether the rule is there already

    @property
    def token(self) -> str:
        """The proposal, signed."""
        return _signer().dumps(
            {
                "id": str(self.id),
                "organization_id": self.organization_id,
                "terms": self.terms.model_dump(mode="json"),
                "figures": self.figures.model_dump(mode="json"),
                "again": self.again,
            }
        )

    @property
    def sentences(self) -> list[str]:
        """What the rule does, in plain words."""
        return in_sentences(self.terms)

    @property
    def next_due(self) -> list[datetime]:
        """The next times at which it is due by the calendar."""
        return next_due(self.terms)


def next_due(terms: Terms, count: int = SHOWN_AHEAD) -> list[datetime]:
    """The next so many times at which such a rule is due by the calendar; none for the kinds that wait for others."""
    if terms.starts is None:
        return []
    return list(islice(due_after(terms.recurrence, terms.starts, terms.time_zone, datetime.now(UTC)), count))


def propose_rule(session: Session, actor: Actor, terms: Terms) -> Proposal:
    """Say what such a rule would do. Raises `Forbidden`, and the refusals of the terms and of the preview."""
    terms = checked_terms(terms)
    _room_for_one_more(session, actor.organization_id)
    rule_id = session.scalars(select(func.uuidv7())).one()
    return Proposal(rule_id, actor.organization_id, terms, _figures(session, actor, terms), again=False)


def propose_again(session: Session, actor: Actor, rule: Rule, **caps: int | None) -> Proposal:
    """Say what the rule does and would do now, with new caps where they are given. Raises `Forbidden`, `RuleNotSo`."""
    if rule.state not in (RuleState.ACTIVE, RuleState.WAITING):
        raise RuleNotSo(rule.state, "confirmed")
    terms = Terms.model_validate(
        terms_of(session, rule).model_dump() | {k: v for k, v in caps.items() if v is not None}
    )
    return Proposal(rule.id, rule.organization_id, terms, _figures(session, actor, terms), again=True)


def opened_proposal(token: str) -> Proposal:
    """The proposal in a signed token, be it expired or not. Raises `PlanInvalid` for one not signed here."""
    try:
        found = _signer().loads(token)
    except BadData:
        raise PlanInvalid from None
    terms, figures = Terms.model_validate(found["terms"]), Figures.model_validate(found["figures"])
    return Proposal(UUID(found["id"]), found["organization_id"], terms, figures, found["again"])


def opened_proposal_of(rule: Rule, token: str) -> Proposal:
    """Returns the rule's proposal in a signed token. Raises `PlanInvalid` if it is for another rule."""
    proposal = opened_proposal(token)
    if proposal.id != rule.id:
        raise PlanInvalid
    return proposal


def make_rule(session: Session, actor: Actor, *, proposal: str, confirm: str) -> Rule:
    """Make the rule that was proposed; the same proposal again gives the rule that it made.

    Raises `PlanInvalid`, `PlanExpired`, `Forbidden`, `ConfirmMismatch`, and the refusals of the terms.
    """
    asked = _confirmed(actor, proposal, confirm, again=False)
    if (earlier := session.get(Rule, asked.id)) is not None:
        return earlier
    _not_expired(asked)
    terms, now = checked_terms(asked.terms), datetime.now(UTC)
    _room_for_one_more(session, actor.organization_id, hold=True)
    course = session.scalars(
        select(Course).where(Course.organization_id == actor.organization_id, Course.code == terms.course)
    ).one()
    group = group_by_code(session, actor.organization_id, terms.group) if terms.group is not None else None
    made = session.scalar(
        insert(Rule)
        .values(
            id=asked.id,
            organization_id=actor.organization_id,
            course_id=course.id,
            group_id=group.id if group else None,
            **{term: getattr(terms, term) for term in Terms.model_fields if term not in ("course", "group")},
            **_confirmation(actor, asked.figures, now),
            seen_until=now,
            look_at=None if terms.kind == RuleKind.EVENT else now,
        )
        .on_conflict_do_nothing()  # a double click races itself
        .returning(Rule.id)
    )
    rule = session.get_one(Rule, asked.id)
    if made is not None:
        _record(
            session, actor, rule, "rule.made", confirmed=rule.confirmed_preview, terms=terms.model_dump(mode="json")
        )
    return rule


def confirm_again(session: Session, actor: Actor, *, proposal: str, confirm: str) -> Rule:
    """Confirm a rule anew, for its audience as it is now; whoever does so owns it. What waited goes on.

    Raises `PlanInvalid`, `PlanExpired`, `Forbidden`, `ConfirmMismatch`, `RuleNotSo`, `BrakeHolds`.
    """
    asked = _confirmed(actor, proposal, confirm, again=True)
    _not_expired(asked)
    rule = _held(session, actor, asked.id)
    if rule.state not in (RuleState.ACTIVE, RuleState.WAITING):
        raise RuleNotSo(rule.state, "confirmed")
    now, terms = datetime.now(UTC), asked.terms
    check_caps(_largest_waiting(session, rule, asked.figures), terms.most_learners, None)
    for name, value in _confirmation(actor, asked.figures, now).items():
        setattr(rule, name, value)
    rule.most_learners, rule.most_a_day = terms.most_learners, terms.most_a_day
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
    _record(session, actor, rule, "rule.confirmed", confirmed=rule.confirmed_preview, released=released)
    return rule


def pause(session: Session, actor: Actor, rule: Rule) -> None:
    """Keep the rule from firing; pausing twice is the same as once. Raises `Forbidden`, `RuleNotSo`."""
    rule = _held(session, actor, rule.id)
    if rule.state != RuleState.PAUSED:
        _move(rule, RuleState.PAUSED, "paused")
        rule.waits_for = None
        _record(session, actor, rule, "rule.paused")


def resume(session: Session, actor: Actor, rule: Rule) -> None:
    """Have the rule fire again from here on; what came due in the pause is skipped. Raises `Forbidden`, `RuleNotSo`."""
    rule = _held(session, actor, rule.id)
    if rule.state == RuleState.ACTIVE:
        return
    if rule.state != RuleState.PAUSED:
        raise RuleNotSo(rule.state, "resumed: only a paused rule can be")
    now = datetime.now(UTC)
    write_occurrences(session, rule, now)
    skip(session, rule, PAUSED, Occurrence.due_at <= now)
    rule.seen_until = now
    rule.move_to(RuleState.ACTIVE)
    rule.look_at = now
    _record(session, actor, rule, "rule.resumed")


def remove(session: Session, actor: Actor, rule: Rule) -> None:
    """Take the rule away for good; its history stays. Resets under way go on. Raises `Forbidden`."""
    rule = _held(session, actor, rule.id)
    if rule.state != RuleState.REMOVED:
        skip(session, rule, REMOVED)
        _move(rule, RuleState.REMOVED, "removed")
        rule.waits_for = None
        rule.look_at = None
        _record(session, actor, rule, "rule.removed")


def rule_of(session: Session, organization_id: int, rule_id: str | UUID) -> Rule:
    """The organization's rule with this id. Raises `RuleUnknown`."""
    try:
        rule = session.get(Rule, UUID(str(rule_id)))
    except ValueError:
        rule = None
    if rule is None or rule.organization_id != organization_id:
        raise RuleUnknown(rule_id)
    return rule


def _figures(session: Session, actor: Actor, terms: Terms) -> Figures:
    for permission in needed(terms.kind):
        actor.must_have(permission)
    seen = preview(
        session,
        actor,
        terms.course,
        audience=terms.audience,
        group=terms.group,
        notify=terms.notify,
    )
    return Figures(
        reach=reach(session, seen.plan.course_id, seen.plan.group_id),
        learners=seen.learners,
        completions=seen.completions,
        removed=seen.removed,
        alerts=seen.alerts,
        shown_at=datetime.now(UTC),
    )


def _room_for_one_more(session: Session, organization_id: int, *, hold: bool = False) -> None:
    """Raises `RuleInvalid` where the organization has all the rules that it may have. Each costs every tick some work.

    `hold` keeps others from making one until the transaction ends.
    """
    if hold:
        session.get_one(Organization, organization_id, with_for_update={"key_share": True})
    kept = Rule.state.not_in((RuleState.REMOVED, RuleState.ENDED))
    rules = session.scalars(select(func.count()).where(Rule.organization_id == organization_id, kept)).one()
    if rules >= (most := settings().most_rules):
        raise RuleInvalid(f"There are {rules:,} rules already, of {most:,} that an organization may have. Remove one.")


def _confirmed(actor: Actor, token: str, confirm: str, *, again: bool) -> Proposal:
    asked = opened_proposal(token)
    if asked.organization_id != actor.organization_id or asked.again != again:
        raise PlanInvalid
    for permission in needed(asked.terms.kind):
        actor.must_have(permission)
    if confirm != asked.terms.course:
        raise ConfirmMismatch(asked.terms.course)
    return asked


def _not_expired(asked: Proposal) -> None:
    if datetime.now(UTC) > asked.figures.shown_at + timedelta(minutes=settings().plan_minutes):
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
    """Of how many learners the largest occurrence is that waits: it must fit the caps that are confirmed."""
    if rule.kind != RuleKind.ROLLING:
        return figures.learners if rule.state == RuleState.WAITING else 0
    largest = (
        select(func.count().label("learners"))
        .where(Occurrence.rule_id == rule.id, Occurrence.state == OccurrenceState.WAITING)
        .group_by(Occurrence.due_at)
        .subquery()
    )
    return session.scalar(select(func.max(largest.c.learners))) or 0


def _held(session: Session, actor: Actor, rule_id: UUID) -> Rule:
    """The rule, locked to the end of the transaction: what is decided here is not overtaken by a tick."""
    actor.must_have(Permission.COURSES)
    rule = session.get(Rule, rule_id, with_for_update={"key_share": True}, populate_existing=True)
    if rule is None or rule.organization_id != actor.organization_id:
        raise RuleUnknown(rule_id)
    return rule


def _move(rule: Rule, state: RuleState, what: str) -> None:
    if state not in RULE_TRANSITIONS[rule.state]:
        raise RuleNotSo(rule.state, what)
    rule.move_to(state)


def _record(session: Session, actor: Actor, rule: Rule, action: str, **details: Any) -> None:
    audit.record(session, actor, action, rule.id, rule.organization_id, **details)


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(signing_keys(), salt="recourse.rule")
