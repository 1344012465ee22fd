"""A reset as the API tells of it."""

import hashlib
from datetime import datetime
from uuid import UUID

from pydantic import Field

from models.resets import Audience, Reset, ResetState
from models.session import Session
from tasks.report import Progress, report
from tasks.reset.lookup import ResetLine, line_of
from web.api.fields import Answer

WAIT_SECONDS = 2  # until it is worth asking again


class ProgressAnswer(Answer):
    """Learners by their outcome."""

    total: int
    cleared: int = Field(description="Reset")
    unchanged: int = Field(description="There was nothing to reset")
    skipped: int = Field(description="Not touched; the learner's `reason` says why")
    failed: int = Field(description="Not touched, since something went wrong; the learner's `reason` says what")


class ResetInList(Answer):
    """A reset, and how far it is."""

    id: UUID
    course: str = Field(description="The course code", examples=["SAFETY-101"])
    audience: Audience
    state: ResetState
    progress: ProgressAnswer
    reason: str
    requester: str = Field(description="Who asked for it")
    requested_at: datetime
    start_at: datetime
    finished_at: datetime | None


class ResetAnswer(ResetInList):
    """Everything there is to know of a reset, but for its learners."""

    done: bool = Field(description="Whether nothing more will happen: it is settled, and its alerts are sent")
    removed: dict[str, int] = Field(
        description="Rows that were deleted, by record kind", examples=[{"lesson_progress": 1180, "completion": 118}]
    )
    notified: int = Field(description="Alerts that were sent")
    seconds: float = Field(description="From the moment it was to begin until its end, or until now")
    due_in_days: int | None
    notify: bool
    cancelled: bool = Field(description="Whether somebody asked for it to stop")
    error: str | None


def in_list(line: ResetLine, progress: Progress) -> ResetInList:
    """A reset as an item of a list."""
    return ResetInList.model_validate(_common(line) | {"progress": ProgressAnswer.model_validate(progress)})


def of(session: Session, reset: Reset) -> ResetAnswer:
    """A reset with everything."""
    return ResetAnswer.model_validate(
        _common(line_of(session, reset))
        | report(session, reset)
        | {
            "due_in_days": reset.due_in_days,
            "notify": reset.notify,
            "cancelled": reset.cancel_requested_at is not None,
            "error": reset.error,
        }
    )


def mark(answer: ResetAnswer) -> str:
    """A mark of what is told, which changes when anything but the time does."""
    return hashlib.sha256(answer.model_dump_json(exclude={"seconds"}).encode()).hexdigest()[:20]


def _common(line: ResetLine) -> dict[str, object]:
    reset = line.reset
    same = ("id", "audience", "state", "reason", "requested_at", "start_at", "finished_at")
    return {name: getattr(reset, name) for name in same} | {"course": line.course_code, "requester": line.requester}
