"""Reported events."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from models.events import EventKind
from web.api.schemas.base import NO_NUL, Answer, Body, Course, EventReason, example

Code = Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL)]


class EventReport(Body):
    """Something that happened."""

    model_config = example({"kind": "incident", "course": "SAFETY-101", "reason": "press 4", "group": "bern-2"})

    kind: EventKind
    course: Code = Field(description="The code of the course to repeat")
    reason: EventReason = Field(description="What happened; recorded with each reset that follows")
    group: Code | None = Field(None, description="The code of the group concerned; everyone if null")


class ReportedEvent(Answer):
    """The stored event."""

    model_config = example(
        {
            "id": 1,
            "kind": "incident",
            "course": "SAFETY-101",
            "reason": "press 4",
            "reported_at": "2027-02-01T09:00:00Z",
            "rules_due": 1,
        }
    )

    id: int
    kind: EventKind
    course: Course
    reason: str
    reported_at: datetime
    rules_due: int = Field(description="The number of rules that the event made due")
