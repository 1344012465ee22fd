"""Proposals of retraining rules, and their confirmation."""

from pydantic import Field

from models.access import Actor
from models.session import Session
from tasks.rules.proposals import Proposal
from web.api.schemas.base import Answer, Body, ConfirmCourse, Token, example
from web.api.schemas.rule_occurrences import UPCOMING, UpcomingOccurrence, upcoming_of
from web.api.schemas.rule_terms import FIGURES, SENTENCES, RuleFigures


class RuleConfirmation(Body):
    """A proposal and its confirmation."""

    model_config = example({"proposal": "eyJpZCI6…", "confirm": "SAFETY-101"})

    proposal: Token = Field(description="`proposal` from the proposal's answer")
    confirm: ConfirmCourse


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


def proposal_of(session: Session, actor: Actor, proposal: Proposal) -> RuleProposal:
    """Returns the proposal as an answer."""
    return RuleProposal(
        proposal=proposal.token,
        confirm=proposal.terms.course,
        in_words=proposal.sentences,
        figures=RuleFigures.model_validate(proposal.figures.model_dump()),
        ahead=upcoming_of(session, actor.organization_id, proposal.terms),
    )
