"""Resets and their learners."""

import hashlib
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from models.pauses import PauseScope
from models.resets import Audience, ItemState, Reset, ResetState
from models.session import Session
from tasks.report import TIMES, Progress
from tasks.reset.lookup import ResetLine, facts_of, line_of
from web.api.schemas.base import NO_NUL, Answer, Body, ConfirmCourse, Course, Flag, Moment, Token, example
from web.api.schemas.plans import DueInDays, Reason, Removed

RESET: dict[str, Any] = {
    "id": "01a20d09-79f6-7b0b-b11a-f6143785020d",
    "course": "SAFETY-101",
    "audience": "completed",
    "state": "running",
    "paused": None,
    "place": None,
    "progress": {"total": 90, "cleared": 49, "unchanged": 0, "skipped": 0, "failed": 0, "waiting": 0},
    "reason": "incident 7731",
    "requester": "Alex Admin",
    "requested_at": "2027-01-31T12:00:00Z",
    "start_at": "2027-01-31T12:00:00Z",
    "finished_at": None,
}


class ResetConfirmation(Body):
    """A plan and its confirmation."""

    model_config = example({"plan": "eyJpZCI6…", "confirm": "SAFETY-101"})

    plan: Token = Field(description="`plan` from the plan's answer")
    confirm: ConfirmCourse
    reason: Reason = ""


class PauseReason(Body):
    """Why something is paused."""

    model_config = example({"reason": "the figures look wrong"})

    reason: Annotated[str, Field(max_length=2000, pattern=NO_NUL, description="Shown to everyone who waits for it")]


class ResetMove(Body):
    """What to change of a planned reset. Fields that are left out stay as they are."""

    model_config = example({"start_at": "2027-03-02T06:00:00+01:00", "due_in_days": 30})

    start_at: Moment | None = Field(None, description="The new earliest start, within the next 365 days")
    reason: Reason | None = Field(None, description="The new reason")
    due_in_days: DueInDays | None = Field(
        None, description="Days from the reset to the new due date; null: no new due date"
    )
    notify: Flag | None = Field(None, description="Whether to alert learners that the course is assigned again")


class ResetProgress(Answer):
    """The number of learners by outcome."""

    total: int
    cleared: int = Field(description="Reset")
    unchanged: int = Field(description="Had nothing to reset")
    skipped: int = Field(description="Not reset; the learner's `reason` says why")
    failed: int = Field(description="Not reset because of an error; the learner's `reason` says where and which")
    waiting: int = Field(description="Reset here; a participant has still to clear its own records")


class Pause(Answer):
    """A pause: nothing further begins until it is resumed."""

    scope: PauseScope = Field(description="What is paused: this reset, its organization, or everything")
    reason: str
    by: str = Field(description="The name of the user or operator who paused it")
    at: datetime


class ResetSummary(Answer):
    """A reset and its progress."""

    id: UUID
    course: Course
    audience: Audience
    state: ResetState
    paused: Pause | None = Field(description="Null if the reset is not paused, or has ended")
    place: int | None = Field(description="Its place in the queue of its organization, from 1; null if it is not in it")
    progress: ResetProgress
    reason: str
    requester: str = Field(description="The name of the user or program that requested it")
    requested_at: datetime
    start_at: datetime
    finished_at: datetime | None = Field(description="Null until the reset has ended")


class ResetEvidence(Answer):
    """Where the evidence of a reset stands."""

    written: int = Field(description="Parts in the organization's store")
    waiting: int = Field(description="Parts to be written; their learners are not reset yet")
    given_up: int = Field(description="Parts that were not written; their learners failed")
    why: str | None = Field(description="What a failed attempt said")
    next_try_at: datetime | None


class ResetDetails(ResetSummary):
    """Everything about a reset except its learners."""

    model_config = example(
        RESET
        | {
            "done": False,
            "removed": {"lesson_progress": 196, "completion": 49, "certificate": 49},
            "waiting_for": {},
            "notified": 0,
            "seconds": 3.21,
            "learners_per_second": 18.4,
            "seconds_left": 2.2,
            "due_in_days": 30,
            "notify": True,
            "cancelled": False,
            "error": None,
            "evidence": None,
        }
    )

    done: bool = Field(description="Whether it is final: the reset has ended and its alerts are sent")
    removed: Removed = Field(description="Rows deleted, by record kind; those of a participant as `name: kind`")
    waiting_for: dict[str, int] = Field(
        description="Learners reset here whom participants have still to clear, by participant",
        examples=[{"scorm": 12}],
    )
    notified: int = Field(description="Alerts sent to learners")
    seconds: float = Field(description="Seconds from `start_at` to the end of the reset, or until now")
    learners_per_second: float | None = Field(
        description="Learners whose outcome became known, over the last half minute; null unless learners are cleared"
    )
    seconds_left: float | None = Field(
        description="About how long the others take at this speed; null where that cannot be known: while the reset is "
        "paused or queued, or waits for evidence or participants"
    )
    due_in_days: int | None = Field(description="Days from the reset to the new due date; no due date if null")
    notify: bool = Field(description="Whether learners are alerted")
    cancelled: bool = Field(description="Whether someone cancelled it")
    error: str | None = Field(description="Why the whole reset failed")
    evidence: ResetEvidence | None = Field(description="Evidence before deletion; null if there is none")


class ResetList(Answer):
    """Resets, latest first."""

    model_config = example({"items": [RESET]})

    items: list[ResetSummary]


class ResetLearner(Answer):
    """A learner's outcome."""

    user_id: int
    name: str
    email: str
    state: ItemState
    reason: str | None = Field(description="Why the learner was skipped, or what failed")


class ResetLearnerList(Answer):
    """Learners of a reset."""

    model_config = example(
        {
            "items": [
                {"user_id": 42, "name": "Ada Abebe", "email": "ada@acme.example", "state": "cleared", "reason": None},
                {
                    "user_id": 43,
                    "name": "Ben Castro",
                    "email": "ben@acme.example",
                    "state": "skipped",
                    "reason": "the course is no longer assigned",
                },
            ]
        }
    )

    items: list[ResetLearner]


def summary_of(line: ResetLine, progress: Progress) -> ResetSummary:
    """Returns a reset as an item of a list."""
    return ResetSummary.model_validate(_common(line) | {"progress": ResetProgress.model_validate(progress)})


def details_of(session: Session, reset: Reset) -> ResetDetails:
    """Returns a reset with all details."""
    return ResetDetails.model_validate(facts_of(session, line_of(session, reset)))


def version_of(details: ResetDetails) -> str:
    """Returns a hash that changes when anything but `TIMES` does."""
    return hashlib.sha256(details.model_dump_json(exclude=TIMES).encode()).hexdigest()[:20]


def _common(line: ResetLine) -> dict[str, object]:
    names = ("id", "audience", "state", "reason", "requested_at", "start_at", "finished_at")
    same = {name: getattr(line.reset, name) for name in names}
    same |= {"paused": line.paused, "place": line.place}
    return same | {"course": line.course_code, "requester": line.requester}
