"""Participants, and their reports."""

from typing import Any

from pydantic import Field

from models.participants import MOST_AT_ONCE, ParticipantKind
from tasks.participants.lookup import ParticipantLine, facts_of
from tasks.participants.protocol import LearnerAnswer
from tasks.reset.elsewhere import Elsewheres
from web.api.schemas.base import NO_NUL, Answer, Body, Code, Token, example

PARTICIPANT: dict[str, Any] = {
    "name": "lms",
    "kind": "http",
    "target": "https://lms.example.org/recourse",
    "queue": None,
    "courses": ["SAFETY-101"],
    "learners_at_once": 100,
    "per_second": 5.0,
    "enabled": True,
    "waiting": 0,
    "given_up": 0,
}


class ParticipantRequest(Body):
    """An HTTP endpoint that clears records of its own."""

    model_config = example(
        {"name": "lms", "url": "https://lms.example.org/recourse", "courses": ["SAFETY-101"], "per_second": 5}
    )

    name: str = Field(min_length=1, max_length=40, pattern=NO_NUL, description="What people call it")
    url: str = Field(min_length=1, max_length=2000, pattern=NO_NUL, description="Where requests are sent")
    courses: list[Code] = Field([], max_length=1000, description="Only for these courses, by code; empty for all")
    learners_at_once: int = Field(100, strict=True, ge=1, le=MOST_AT_ONCE, description="Most learners in a request")
    per_second: float | None = Field(None, gt=0, le=10_000, allow_inf_nan=False, description="Most requests per second")


class ParticipantDetails(Answer):
    """A participant."""

    model_config = example(PARTICIPANT)

    name: str
    kind: ParticipantKind
    target: str = Field(description="Its URL, the name of its task, or its plug-in")
    queue: str | None = Field(description="The queue of its task")
    courses: list[str] = Field(description="The codes of its courses; empty: all courses")
    learners_at_once: int
    per_second: float | None
    enabled: bool
    waiting: int = Field(description="Requests that wait for it")
    given_up: int = Field(description="Requests that it never answered")


class NewParticipant(ParticipantDetails):
    """A new participant, with its secret."""

    model_config = example(PARTICIPANT | {"secret": "whsec_…"})

    secret: str = Field(description="Requests to it, and its reports, are signed with this")


class ParticipantList(Answer):
    """Participants, by name."""

    model_config = example({"items": [PARTICIPANT]})

    items: list[ParticipantDetails]


class ParticipantSecret(Answer):
    """A participant's new secret."""

    model_config = example({"secret": "whsec_…"})

    secret: str = Field(description="Requests are signed with both secrets for a day")


class ClearReport(Body):
    """What a participant reports about learners of a request."""

    model_config = example({"learners": [{"enrolment": 42, "outcome": "done", "removed": {"attempts": 3}}]})

    learners: list[LearnerAnswer] = Field(max_length=MOST_AT_ONCE)


class ReportTaken(Answer):
    """What became of a report."""

    model_config = example({"taken": True})

    taken: bool = Field(description="Whether it was waited for; a late or repeated report changes nothing")


class PlanToAsk(Body):
    """A plan, to ask its participants about."""

    model_config = example({"plan": "eyJpZCI6…"})

    plan: Token = Field(description="`plan` from the plan's answer")


class RecordsElsewhere(Answer):
    """What one participant would remove."""

    participant: str
    records: dict[str, int] | None = Field(
        description="By its own kinds; null if it did not say", examples=[{"attempts": 9}]
    )
    why: str = Field(description="Why it did not say")


class PlanElsewhere(Answer):
    """What a plan's participants would remove."""

    model_config = example(
        {"participants": [{"participant": "lms", "records": {"attempts": 9}, "why": ""}], "about": False}
    )

    participants: list[RecordsElsewhere]
    about: bool = Field(description="Whether the figures are estimates, as for large courses")


def participant_of(line: ParticipantLine) -> ParticipantDetails:
    """Returns a participant as an answer."""
    return ParticipantDetails.model_validate(facts_of(line))


def new_participant_of(line: ParticipantLine) -> NewParticipant:
    """Returns a participant as an answer, with its secret."""
    return NewParticipant.model_validate(facts_of(line) | {"secret": line.participant.secret()})


def elsewhere_of(found: Elsewheres) -> PlanElsewhere:
    """Returns participants' counts as an answer."""
    return PlanElsewhere(
        participants=[RecordsElsewhere.model_validate(one) for one in found.each],
        about=found.about,
    )
