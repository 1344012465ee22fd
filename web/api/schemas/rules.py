"""Retraining rules."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from models.retraining import Rule, RuleState
from models.session import Session
from tasks.rules.terms import in_sentences, terms_of
from web.api.schemas.base import Answer, example
from web.api.schemas.rule_terms import FIGURES, SENTENCES, TERMS, RuleTermsInForce

RULE = {
    "id": "01a20d1d-c652-70ad-89c1-3b7a941d808d",
    "state": "active",
    "waits_for": None,
    "terms": TERMS,
    "in_words": SENTENCES,
    "owner": "user:1",
    "confirmed_at": "2027-01-31T12:00:00Z",
    "confirmed_preview": FIGURES,
}


class RuleDetails(Answer):
    """A retraining rule."""

    model_config = example(RULE)

    id: UUID
    state: RuleState
    waits_for: str | None = Field(description="Why it needs a new confirmation")
    terms: RuleTermsInForce
    in_words: list[str] = Field(description="The terms in sentences")
    owner: str = Field(description="Who confirmed it last")
    confirmed_at: datetime
    confirmed_preview: dict[str, Any] = Field(description="The figures at its last confirmation")


class RuleList(Answer):
    """Retraining rules."""

    model_config = example({"items": [RULE]})

    items: list[RuleDetails]


def details_of(session: Session, rule: Rule) -> RuleDetails:
    """Returns the rule as an answer."""
    session.flush()
    terms = terms_of(session, rule)
    return RuleDetails(
        id=rule.id,
        state=rule.state,
        waits_for=rule.waits_for,
        terms=RuleTermsInForce.model_validate(terms.model_dump()),
        in_words=in_sentences(terms),
        owner=rule.owner,
        confirmed_at=rule.confirmed_at,
        confirmed_preview=rule.confirmed_preview,
    )
