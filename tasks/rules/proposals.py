"""Propose a retraining rule: say what it would do, in a signed proposal that its confirmation needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from itsdangerous import BadData, URLSafeSerializer
from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from config.languages import gettext, translatable
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
CHANGEABLE = (*CONFIRMABLE, RuleState.PAUSED)
FIXED = ("course", "kind")  # of another course or kind is another rule


@dataclass(frozen=True)
class Proposal:
    """A new rule, or an existing one to be confirmed again, and what it would do now. Changes nothing."""

    id: UUID  # of the rule
    organization_id: int
    terms: Terms
    figures: Figures
    again: bool  # the rule exists already
    since: datetime | None = None  # when it was last confirmed before this proposal

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
                "since": self.since and self.since.isoformat(),
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
        raise RuleStateConflict(rule.state, translatable("confirmed"))
    terms = Terms.model_validate(
        terms_of(session, rule).model_dump() | {k: v for k, v in caps.items() if v is not None}
    )
    return Proposal(
        rule.id, rule.organization_id, terms, _figures(session, actor, terms), again=True, since=rule.confirmed_at
    )


def propose_change(session: Session, actor: Actor, rule: Rule, terms: Terms) -> Proposal:
    """Propose to change the rule's terms. Its confirmation is a new one of the whole rule.

    Raises `Forbidden`, `RuleStateConflict`, `RuleInvalid` for another course or kind, and the refusals of
    `checked_terms` and `preview`.
    """
    if rule.state not in CHANGEABLE:
        raise RuleStateConflict(rule.state, translatable("changed"))
    before = terms_of(session, rule)
    if any(getattr(terms, term) != getattr(before, term) for term in FIXED):
        raise RuleInvalid("A rule keeps its course and its kind. Create another rule for the other course or kind.")
    terms = checked_terms(terms)
    return Proposal(
        rule.id, rule.organization_id, terms, _figures(session, actor, terms), again=True, since=rule.confirmed_at
    )


def propose_with(session: Session, actor: Actor, rule: Rule, changes: Mapping[str, Any]) -> Proposal:
    """Propose the rule with these of its terms changed; as it is if none of them differs.

    Raises `RuleInvalid` for a value that a term cannot have, and as `propose_again` and `propose_change`.
    """
    before = terms_of(session, rule)
    try:
        terms = Terms.model_validate(before.model_dump() | dict(changes))
    except ValidationError as error:
        wrong = error.errors()[0]
        raise RuleInvalid(
            "Correct the rule's {what}: {error}.",
            what=translatable(str(wrong["loc"][0]).replace("_", " ")),
            error=wrong["msg"].lower(),
        ) from None
    return propose_again(session, actor, rule) if terms == before else propose_change(session, actor, rule, terms)


def changes_of(session: Session, rule: Rule, terms: Terms) -> dict[str, tuple[str, str]]:
    """Returns the terms that differ from the rule's own, each with its value before and after."""
    before = terms_of(session, rule)
    return {
        term: (_in_words(getattr(before, term)), _in_words(getattr(terms, term)))
        for term in Terms.model_fields
        if getattr(before, term) != getattr(terms, term)
    }


def _in_words(value: object) -> str:
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, StrEnum):
        return gettext(value.replace("_", " "))
    return gettext("none") if value is None else str(value).replace("_", " ")


def opened_proposal(token: str) -> Proposal:
    """Returns the proposal in a signed token, even an expired one. Raises `PlanInvalid` if it was not signed here."""
    try:
        found = _signer().loads(token)
    except BadData:
        raise PlanInvalid from None
    terms, figures = Terms.model_validate(found["terms"]), Figures.model_validate(found["figures"])
    since = datetime.fromisoformat(found["since"]) if found.get("since") else None
    return Proposal(UUID(found["id"]), found["organization_id"], terms, figures, found["again"], since)


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
        raise RuleInvalid(
            "Your organization has {rules:,} rules; the limit is {most:,}. Remove one first.", rules=rules, most=most
        )


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
