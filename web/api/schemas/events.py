"""Reported events."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from models.events import EventKind
from tasks.reset.plan import MOST_NAMED_USERS
from web.api.schemas.base import Answer, Body, Code, Course, Email, EventReason, example


class EventReport(Body):
    """Something that happened."""

    model_config = example({"kind": "incident", "course": "SAFETY-101", "reason": "press 4", "group": "bern-2"})

    kind: EventKind
    course: Code = Field(description="The code of the course to repeat")
    reason: EventReason = Field(description="What happened; recorded with each reset that follows")
    group: Code | None = Field(None, description="The code of the group concerned; everyone if null")
    users: list[Email] | None = Field(
        None,
        min_length=1,
        max_length=MOST_NAMED_USERS,
        description="The persons concerned, by address or `external:` and external id, instead of a group; takes the "
        "permission *Platform management: Users* too",
    )


DUE_RULE: dict[str, Any] = {
    "rule_id": "01a20d09-79f6-7b0b-b11a-f6143785020d",
    "reason": "after an incident",
    "whom": "everyone assigned",
    "due_at": "2027-02-01T09:00:00Z",
    "learners": 12,
    "names": ["Ada Abebe", "Ben Castro"],
    "held": None,
}


class DueRuleDetails(Answer):
    """A rule that an event would make due."""

    rule_id: UUID
    reason: str
    whom: str = Field(description="The rule's own audience, in words")
    due_at: datetime | None = Field(description="Null: skipped, since the rule is paused")
    learners: int = Field(description="Learners it would reset, as of now")
    names: list[str] = Field(description="The names of a few of them")
    held: str | None = Field(description="Why its reset would wait until the rule is confirmed again, if it would")


class EventPreviewDetails(Answer):
    """What an event would do."""

    model_config = example({"rules": [DUE_RULE], "learners": 12})

    rules: list[DueRuleDetails]
    learners: int = Field(description="Learners of all rules, each once; without those of paused rules")


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
