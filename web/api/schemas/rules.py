"""Retraining rules: terms, proposals, occurrences."""

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
from web.api.schemas.base import Answer, Body, ConfirmCourse, Token, example

Cap = Annotated[int, Field(strict=True, ge=1, le=10_000_000)]

TERMS = {
    "course": "SAFETY-101",
    "kind": "calendar",
    "reason": "yearly recertification",
    "starts": "2027-03-01T06:00:00",
    "recurrence": "FREQ=YEARLY",
    "time_zone": "Europe/Zurich",
    "warn_days": 14,
    "due_in_days": 30,
}
SENTENCES = [
    "SAFETY-101 is reset for everyone it is assigned to: each year on 1 March at 06:00 (Europe/Zurich).",
    "Learners are warned 14 days before.",
    "The new due date is 30 days later.",
]
FIGURES = {
    "reach": 120,
    "learners": 120,
    "completions": 90,
    "removed": {"lesson_progress": 360, "completion": 90, "certificate": 90},
    "alerts": 108,
    "shown_at": "2027-01-31T12:00:00Z",
}
UPCOMING = {"due_at": "2027-03-01T05:00:00Z", "learners": 120, "names": ["Ada Abebe", "Ben Castro"]}
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
MEANINGS = {
    "course": "The course code",
    "reason": "Recorded with every reset of the rule",
    "group": "The group's code; required with the audience `group`",
    "time_zone": "The IANA time zone of `starts` and `at_time`",
    "starts": "Kinds `calendar` and `once`: the first date and time of day, local to `time_zone`",
    "recurrence": "Kind `calendar`: an RRULE of RFC 5545",
    "months": "Kind `rolling`: months after each learner's completion",
    "at_time": "Kind `rolling`: the time of day, local to `time_zone`",
    "event_kind": "Kind `event`: the kind of event that makes the rule due; any kind if null",
    "warn_days": "Days before the due time at which learners are warned; 0 for no warning",
    "due_in_days": "Days from the reset to the new due date; no due date if null",
    "notify": "Whether to alert learners that the course is assigned again",
    "catch_up": "What to do on restart about due times missed while nothing ran",
    "most_learners": "With more learners due at one time, the rule waits for a new confirmation",
    "most_a_day": "The most learners that the rule resets in a day",
}


def _described(schema: dict[str, Any]) -> None:
    for name, meaning in MEANINGS.items():
        schema["properties"][name]["description"] = meaning


def _described_with_example(schema: dict[str, Any]) -> None:
    _described(schema)
    schema["examples"] = [TERMS]


class RuleTerms(Terms):
    """What a rule does."""

    model_config = ConfigDict(json_schema_extra=_described_with_example)


class RuleTermsInForce(Terms):
    """What a rule does, as confirmed."""

    model_config = ConfigDict(json_schema_extra=_described)


class RuleFigures(Figures):
    """What a rule would reset."""

    reach: int = Field(description="Everyone the rule can ever reset: the learners assigned, or those in the group")
    learners: int = Field(description="Those of them in the audience now")
    completions: int = Field(description="Those of them who have completed the course")
    alerts: int = Field(description="Alerts to send")
    removed: dict[str, int] = Field(description="Rows to delete, by record kind")


class RuleCaps(Body):
    """New caps for a rule that is confirmed again."""

    model_config = example({"most_learners": 500, "most_a_day": 100})

    most_learners: Cap | None = Field(None, description=MEANINGS["most_learners"])
    most_a_day: Cap | None = Field(None, description=MEANINGS["most_a_day"])


class RuleConfirmation(Body):
    """A proposal and its confirmation."""

    model_config = example({"proposal": "eyJpZCI6…", "confirm": "SAFETY-101"})

    proposal: Token = Field(description="`proposal` from the proposal's answer")
    confirm: ConfirmCourse


class UpcomingOccurrence(Answer):
    """A future due time."""

    due_at: datetime | None = Field(description="Null if the rule waits for an event")
    learners: int = Field(description="Learners it would reset, as of now")
    names: list[str] = Field(description="The names of a few of them")


class UpcomingOccurrenceList(Answer):
    """A rule's next due times."""

    model_config = example({"items": [UPCOMING]})

    items: list[UpcomingOccurrence]


class RuleProposal(Answer):
    """What a rule would do, and the proposal to confirm."""

    model_config = example(
        {
            "proposal": "eyJpZCI6IjAxYTIwZDA5…",
            "confirm": "SAFETY-101",
            "in_words": SENTENCES,
            "figures": FIGURES,
            "ahead": [UPCOMING],
        }
    )

    proposal: str = Field(description="The signed proposal, to send with the confirmation")
    confirm: str = Field(description="What to send as confirmation: the course code")
    in_words: list[str] = Field(description="The terms in sentences")
    figures: RuleFigures
    ahead: list[UpcomingOccurrence] = Field(description="The next 12 due times")


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


class RuleOccurrences(Answer):
    """Occurrences with the same due time and result."""

    due_at: datetime
    state: OccurrenceState
    reset_id: UUID | None
    reason: str | None
    occurrences: int = Field(description="How many; a rolling rule has one for each learner")
    learners: int


class RuleOccurrencesList(Answer):
    """A rule's occurrences, latest first."""

    model_config = example(
        {
            "items": [
                {
                    "due_at": "2027-03-01T05:00:00Z",
                    "state": "settled",
                    "reset_id": "01a20d09-79f6-7b0b-b11a-f6143785020d",
                    "reason": None,
                    "occurrences": 1,
                    "learners": 120,
                }
            ]
        }
    )

    items: list[RuleOccurrences]


def proposal_of(session: Session, actor: Actor, proposal: Proposal) -> RuleProposal:
    """Returns the proposal as an answer."""
    return RuleProposal(
        proposal=proposal.token,
        confirm=proposal.terms.course,
        in_words=proposal.sentences,
        figures=RuleFigures.model_validate(proposal.figures.model_dump()),
        ahead=upcoming_of(session, actor.organization_id, proposal.terms),
    )


def upcoming_of(session: Session, organization_id: int, terms: Terms) -> list[UpcomingOccurrence]:
    """Returns the next due times under these terms."""
    return [UpcomingOccurrence.model_validate(one) for one in dry_run(session, organization_id, terms)]


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
