"""Propose a retraining rule: say what it would do, in a signed proposal that its confirmation needs."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from config.settings import settings, signing_keys
from models.access import Actor
from models.people import Organization
from models.refusals.resets import PlanInvalid
from models.refusals.rules import RuleInvalid, RuleStateConflict
from models.retraining import Rule, RuleState
from tasks.reset.impact import preview
from tasks.rules.brakes import needed, reach
from tasks.rules.next_due import next_due
from tasks.rules.terms import Figures, Terms, checked_terms, in_sentences, terms_of

CONFIRMABLE = (RuleState.ACTIVE, RuleState.WAITING)


@dataclass(frozen=True)
class Proposal:
    """A new rule, or an existing one to be confirmed again, and what it would do now. Changes nothing."""

    id: UUID  # of the rule
    organization_id: int
    terms: Terms
    figures: Figures
    again: bool  # the rule exists already

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
        """The next due times by the calendar."""
        return next_due(self.terms)


def propose_rule(session: Session, actor: Actor, terms: Terms) -> Proposal:
    """Propose a new rule. Raises `Forbidden`, and the refusals of `checked_terms` and `preview`."""
    terms = checked_terms(terms)
    check_room(session, actor.organization_id)
    rule_id = session.scalars(select(func.uuidv7())).one()
    return Proposal(rule_id, actor.organization_id, terms, _figures(session, actor, terms), again=False)


def propose_again(session: Session, actor: Actor, rule: Rule, **caps: int | None) -> Proposal:
    """Propose to confirm the rule again, with new limits where given. Raises `Forbidden`, `RuleStateConflict`."""
    if rule.state not in CONFIRMABLE:
        raise RuleStateConflict(rule.state, "confirmed")
    terms = Terms.model_validate(
        terms_of(session, rule).model_dump() | {k: v for k, v in caps.items() if v is not None}
    )
    return Proposal(rule.id, rule.organization_id, terms, _figures(session, actor, terms), again=True)


def opened_proposal(token: str) -> Proposal:
    """Returns the proposal in a signed token, even an expired one. Raises `PlanInvalid` if it was not signed here."""
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


def check_room(session: Session, organization_id: int, *, hold: bool = False) -> None:
    """Raises `RuleInvalid` if the organization has as many rules as it may have: each rule adds work to every tick.

    `hold` makes others who add a rule wait until the transaction ends.
    """
    if hold:
        session.get_one(Organization, organization_id, with_for_update={"key_share": True})
    kept = Rule.state.not_in((RuleState.REMOVED, RuleState.ENDED))
    rules = session.scalars(select(func.count()).where(Rule.organization_id == organization_id, kept)).one()
    if rules >= (most := settings().most_rules):
        raise RuleInvalid(f"Your organization has {rules:,} rules; the limit is {most:,}. Remove one first.")


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


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(signing_keys(), salt="recourse.rule")
