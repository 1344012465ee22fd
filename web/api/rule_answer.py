"""What is said of retraining rules through the HTTP API: their terms, proposals, and what became of them."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field

from models.access import Actor
from models.retraining import OccurrenceState, Rule, RuleState
from models.session import Session
from tasks.rules.dry_run import dry_run
from tasks.rules.proposals import Proposal
from tasks.rules.terms import Figures, Terms, in_sentences, terms_of
from web.api.fields import NO_NUL, Answer, Body

Cap = Annotated[int, Field(strict=True, ge=1, le=10_000_000)]
EXAMPLE: dict[str, Any] = {
    "course": "SAFETY-101",
    "kind": "calendar",
    "reason": "yearly recertification",
    "starts": "2027-03-01T06:00:00",
    "recurrence": "FREQ=YEARLY",
    "time_zone": "Europe/Zurich",
    "warn_days": 14,
    "due_in_days": 30,
}


class RuleTerms(Terms):
    """What a rule does."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})


class Caps(Body):
    """New caps of a rule that is confirmed again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"most_learners": 500, "most_a_day": 100}]})

    most_learners: Cap | None = Field(None, description="With more at one time, it waits for a new confirmation")
    most_a_day: Cap | None = Field(None, description="Learners that it resets in a day at most")


class Confirmation(Body):
    """A proposal, confirmed."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"proposal": "eyJpZCI6…", "confirm": "SAFETY-101"}]})

    proposal: str = Field(max_length=100_000, pattern=NO_NUL, description="`proposal` of the answer to the proposing")
    confirm: str = Field(max_length=200, pattern=NO_NUL, description="The course code: its resets cannot be undone")


class AheadAnswer(Answer):
    """A due time that lies ahead."""

    due_at: datetime | None = Field(description="None if it waits for an event")
    learners: int = Field(description="Whom it would reset, as things are now")
    names: list[str] = Field(description="Of a few of them")


class ProposalAnswer(Answer):
    """What a rule would do, and the proposal to confirm."""

    proposal: str
    confirm: str = Field(description="What has to be typed to confirm: the course code")
    in_words: list[str]
    figures: Figures
    ahead: list[AheadAnswer] = Field(description="The next 12 occurrences")


class RuleAnswer(Answer):
    """A rule."""

    id: UUID
    state: RuleState
    waits_for: str | None = Field(description="What it waits for to be confirmed again")
    terms: Terms
    in_words: list[str]
    owner: str
    confirmed_at: datetime
    confirmed_preview: dict[str, Any]


class Rules(Answer):
    """All rules."""

    items: list[RuleAnswer]


class AheadList(Answer):
    """What lies ahead of a rule."""

    items: list[AheadAnswer]


class OccurrenceAnswer(Answer):
    """What became of occurrences that came due together and went the same way."""

    due_at: datetime
    state: OccurrenceState
    reset_id: UUID | None
    reason: str | None
    occurrences: int = Field(description="Of a rolling rule, one a learner")
    learners: int


class Occurrences(Answer):
    """Occurrences, latest first."""

    items: list[OccurrenceAnswer]


def proposed(session: Session, actor: Actor, proposal: Proposal) -> ProposalAnswer:
    ahead = dry_run(session, actor.organization_id, proposal.terms)
    return ProposalAnswer(
        proposal=proposal.token,
        confirm=proposal.terms.course,
        in_words=proposal.sentences,
        figures=proposal.figures,
        ahead=[AheadAnswer.model_validate(one) for one in ahead],
    )


def rule_answer(session: Session, rule: Rule) -> RuleAnswer:
    session.flush()
    terms = terms_of(session, rule)
    return RuleAnswer(
        id=rule.id,
        state=rule.state,
        waits_for=rule.waits_for,
        terms=terms,
        in_words=in_sentences(terms),
        owner=rule.owner,
        confirmed_at=rule.confirmed_at,
        confirmed_preview=rule.confirmed_preview,
    )
