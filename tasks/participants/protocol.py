"""What a participant is asked, and what it answers: as Python for plug-ins, as JSON for everyone else.

A participant deletes what a learner did in the course under the old registration, or under any but the new one, and
nothing else: a request may come late, twice, and after the learner has begun anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Protocol, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

Text = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]
Kind = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00]*$")]
MOST_KINDS = 20


@dataclass(frozen=True)
class Course:
    """The course that is reset."""

    code: str
    title: str
    external_id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Returns the course as participants see it."""
        return {"code": self.code, "external_id": self.external_id, "title": self.title}


@dataclass(frozen=True)
class Learner:
    """A learner to clear. A preview has no new registration."""

    user_id: int
    external_id: str | None
    email: str
    enrolment: int
    old_registration: UUID
    new_registration: UUID | None = None

    @property
    def cleared_at(self) -> datetime:
        """When the learner was cleared here: what they did later is new. The new registration is a UUIDv7."""
        assert self.new_registration is not None, "a preview clears nobody"
        return datetime.fromtimestamp((self.new_registration.int >> 80) / 1000, UTC)

    def as_json(self) -> dict[str, Any]:
        """Returns the learner as participants see them."""
        return {
            "user_id": self.user_id,
            "external_id": self.external_id,
            "email": self.email,
            "enrolment": self.enrolment,
            "old_registration": str(self.old_registration),
            "new_registration": str(self.new_registration) if self.new_registration else None,
        }


@dataclass(frozen=True)
class Request:
    """Learners of one reset to clear. A repeated request has the same key and the same learners."""

    idempotency_key: UUID
    reset: UUID
    organization: str  # its slug
    course: Course
    learners: Sequence[Learner]

    def as_json(self) -> dict[str, Any]:
        """Returns the request as participants see it."""
        return {
            "type": "participant.clear",
            "idempotency_key": str(self.idempotency_key),
            "reset": str(self.reset),
            **_about(self.organization, self.course),
            "learners": [learner.as_json() for learner in self.learners],
        }


@dataclass(frozen=True)
class Question:
    """Learners whose records are to be counted, for a preview."""

    organization: str
    course: Course
    learners: Sequence[Learner]

    def as_json(self) -> dict[str, Any]:
        """Returns the question as participants see it."""
        about = _about(self.organization, self.course)
        return {"type": "participant.preview", **about, "learners": [one.as_json() for one in self.learners]}


def _about(organization: str, course: Course) -> dict[str, Any]:
    return {"organization": organization, "course": course.as_json()}


class End(StrEnum):
    """What a participant says of a learner."""

    DONE = "done"  # cleared, with how many records of each kind
    NOTHING = "nothing"  # there was nothing
    FAILED = "failed"  # it cannot be done; `why` says so to the training admin
    LATER = "later"  # it will report
    RETRY = "retry"  # it cannot be done now, which `why` explains; the request is sent again


@dataclass(frozen=True)
class Outcome:
    """A participant's answer about one learner."""

    enrolment: int
    end: End
    removed: Mapping[str, int] = field(default_factory=dict)
    why: str = ""


class NotNowError(Exception):
    """The participant could not be asked, or did not answer. It is asked again."""

    def __init__(self, why: str, *, unsure: bool = False) -> None:
        """`unsure`: it may have cleared the learners all the same."""
        super().__init__(why)
        self.unsure = unsure


class Participant(Protocol):
    """A plug-in: a class that is made with its options, for each request."""

    def preview(self, question: Question) -> Mapping[str, int]:
        """Returns how many records of each kind the learners have. Raises `NotNowError`."""

    def clear(self, request: Request) -> Sequence[Outcome]:
        """Clear the learners. Returns an outcome for each. Raises `NotNowError` to be asked again."""


class LearnerAnswer(BaseModel):
    """A participant's answer about one learner, as JSON."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    enrolment: Annotated[int, Field(ge=1, le=2**63 - 1)]
    outcome: End
    removed: Annotated[dict[Kind, Annotated[int, Field(ge=0, le=2**53)]], Field(max_length=MOST_KINDS)] = {}
    why: Text | None = None

    @model_validator(mode="after")
    def _failed_says_why(self) -> Self:
        if self.outcome == End.FAILED and not self.why:
            raise ValueError("a failed learner needs `why`")
        return self

    def outcome_of(self) -> Outcome:
        """Returns it as Python."""
        return Outcome(self.enrolment, self.outcome, self.removed, self.why or "")


class ClearAnswer(BaseModel):
    """A participant's answer to a request."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    learners: Annotated[list[LearnerAnswer], Field(max_length=1000)]

    def outcomes(self) -> list[Outcome]:
        """Returns it as Python."""
        return [learner.outcome_of() for learner in self.learners]


class PreviewAnswer(BaseModel):
    """A participant's answer to a preview: records by kind."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    records: Annotated[dict[Kind, Annotated[int, Field(ge=0, le=2**53)]], Field(max_length=MOST_KINDS)]
