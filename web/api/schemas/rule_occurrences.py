"""The due times of a retraining rule, future and past."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from models.retraining import OccurrenceState
from models.session import Session
from tasks.rules.dry_run import dry_run
from tasks.rules.terms import Terms
from web.api.schemas.base import Answer, example

UPCOMING = {"due_at": "2027-03-01T05:00:00Z", "learners": 120, "names": ["Ada Abebe", "Ben Castro"]}


class UpcomingOccurrence(Answer):
    """A future due time."""

    due_at: datetime | None = Field(description="Null if the rule waits for an event")
    learners: int = Field(description="Learners it would reset, as of now")
    names: list[str] = Field(description="The names of a few of them")


class UpcomingOccurrenceList(Answer):
    """A rule's next due times."""

    model_config = example({"items": [UPCOMING]})

    items: list[UpcomingOccurrence]


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


def upcoming_of(session: Session, organization_id: int, terms: Terms) -> list[UpcomingOccurrence]:
    """Returns the next due times under these terms."""
    return [UpcomingOccurrence.model_validate(one) for one in dry_run(session, organization_id, terms)]
