"""The terms of a retraining rule, and what they would reset."""

from typing import Any

from pydantic import ConfigDict, Field

from models.retraining import RuleKind
from tasks.rules.proposals import FIXED
from tasks.rules.terms import Figures, Terms

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
    "SAFETY-101 is reset for everyone assigned: each year on 1 March at 06:00 (Europe/Zurich).",
    "Learners are warned 14 days before.",
    "The new due date is 30 days after the reset.",
]
FIGURES = {
    "reach": 120,
    "learners": 120,
    "completions": 90,
    "removed": {"lesson_progress": 360, "completion": 90, "certificate": 90},
    "alerts": 108,
    "shown_at": "2027-01-31T12:00:00Z",
}
MEANINGS = {
    "course": "The course code",
    "kind": "What makes the rule due",
    "name": "A name for people to read",
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


def _described_changes(schema: dict[str, Any]) -> None:
    _described(schema)
    schema["examples"] = [{"most_learners": 500, "most_a_day": 100}]
    for name in FIXED:
        schema["properties"][name]["description"] += "; cannot be changed"


class RuleChanges(Terms):
    """What to change of a rule. Terms that are left out stay as they are; null removes one."""

    model_config = ConfigDict(json_schema_extra=_described_changes)

    course: str = Field("", max_length=2000)
    kind: RuleKind = RuleKind.CALENDAR
    reason: str = Field("", max_length=2000)


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
