"""Enrolments, and what learners leave in their courses."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from models.training import ActivityKind, EnrolmentState
from web.api.schemas.base import Answer, Body, Moment, Percent, Text, example

ENROLMENT: dict[str, Any] = {
    "course": "SAFETY-101",
    "title": "Working safely at height",
    "registration": "01a20d09-909d-73f4-a4a5-a5da8da64675",
    "state": "in_progress",
    "progress": 40,
    "assigned_at": "2027-01-02T08:00:00Z",
    "due_at": "2027-03-02T12:00:00Z",
    "completed_at": None,
    "certificate": None,
    "score": None,
    "external_id": "c-12",
}


class EnrolmentSummary(Answer):
    """A course assigned to a user."""

    course: str = Field(validation_alias="code", description="The course code", examples=["SAFETY-101"])
    title: str
    registration: UUID = Field(description="Send it with each write; a reset replaces it")
    state: EnrolmentState
    progress: int = Field(description="Percent")
    assigned_at: datetime
    due_at: datetime | None
    completed_at: datetime | None
    certificate: str | None = Field(description="The certificate's serial number")
    score: float | None = Field(description="Of the completion, 0 to 100, if another system reported one")
    external_id: str | None = Field(description="The platform's own id of the course")


class EnrolmentList(Answer):
    """A user's courses."""

    model_config = example({"items": [ENROLMENT]})

    items: list[EnrolmentSummary]


class CourseActivity(Answer):
    """An activity of a course."""

    id: int
    kind: ActivityKind
    reference: str
    title: str


class EnrolmentDetails(EnrolmentSummary):
    """A course assigned to a user, with its activities."""

    model_config = example(
        ENROLMENT | {"activities": [{"id": 1, "kind": "lesson", "reference": "intro", "title": "Introduction"}]}
    )

    activities: list[CourseActivity]


class LessonProgressUpdate(Body):
    """The part of a lesson that is done."""

    model_config = example({"percent": 100})

    percent: Percent


class SubmissionRequest(Body):
    """An attempt at an assignment or a practical assessment."""

    model_config = example({"body": "My answer.", "score": 82.5})

    body: Text = Field("", description="The text of an assignment")
    score: Percent | None = Field(None, description="0 to 100; only from graders and learning systems")


class PostRequest(Body):
    """A discussion post."""

    model_config = example({"body": "What I took from this course."})

    body: Text = Field(min_length=1)


class CompletionRequest(Body):
    """When another user completed the course, and with which score; by default now, without one."""

    model_config = example({"completed_at": "2026-11-03T14:30:00Z", "score": 92.5})

    completed_at: Moment | None = Field(None, description="Not for yourself")
    score: Percent | None = Field(None, description="0 to 100; needs `completed_at`")

    @model_validator(mode="after")
    def _score_has_its_date(self) -> Self:
        if self.score is not None and self.completed_at is None:
            raise ValueError("score needs completed_at")
        return self


class SavedLessonProgress(Answer):
    """The stored part of a lesson that is done. It never decreases."""

    model_config = example({"activity_id": 1, "percent": 100.0, "updated_at": "2027-02-01T09:00:00Z"})

    activity_id: int
    percent: float
    updated_at: datetime


class SavedSubmission(Answer):
    """The stored attempt."""

    model_config = example({"activity_id": 8, "attempt": 1, "score": 82.5})

    activity_id: int
    attempt: int = Field(description="Its number, from 1")
    score: float | None


class SavedPost(Answer):
    """The stored post."""

    model_config = example({"id": 331, "activity_id": 7, "posted_at": "2027-02-01T09:00:00Z"})

    id: int
    activity_id: int
    posted_at: datetime


class SavedCompletion(Answer):
    """The completion of a course."""

    model_config = example(
        {"completed_at": "2027-02-01T09:00:00Z", "score": None, "certificate": "2RZCA-R3HDP-3VDGE-SELRJ"}
    )

    completed_at: datetime
    score: float | None = Field(description="0 to 100, if another system reported one")
    certificate: str | None = Field(description="The certificate's serial number; null if the course issues none")
