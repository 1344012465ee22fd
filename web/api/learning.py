"""Learning: a learner's courses, and what they leave in them, each write under the enrolment's registration."""

from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from pydantic import ConfigDict, Field

from models.access import Actor, Permission
from models.directory import activities_of, assigned_course, course_of, training_of, user_of
from models.people import User
from models.session import Session
from models.tokens import Scope
from models.training import ActivityKind, EnrolmentState
from tasks.people.learning import complete, hand_in, record_progress, write_post
from web.access import program_with
from web.api.body import JsonRoute
from web.api.document import problems
from web.api.fields import NO_NUL, Answer, Body, CourseCode, Percent, UserId, Words
from web.database import Database
from web.numbers import BIGGEST

router = APIRouter(tags=["learning"], route_class=JsonRoute)

Learner = Annotated[Actor, Depends(program_with(Scope.LEARNING_WRITE))]
Registration = Annotated[UUID, Path(description="Of the enrolment; a reset gives it a new one")]
ActivityId = Annotated[int, Path(ge=1, le=BIGGEST, description="An activity of the course")]

WRITE_PROBLEMS = problems("stale-registration", "activity-unknown", "body-too-large")


class EnrolmentAnswer(Answer):
    """A course that is assigned to a user."""

    course: str = Field(validation_alias="code", description="The course code", examples=["SAFETY-101"])
    title: str
    registration: UUID = Field(description="To be sent with each write. After a reset there is another one.")
    state: EnrolmentState
    progress: int = Field(description="Percent")
    assigned_at: datetime
    due_at: datetime | None
    completed_at: datetime | None
    certificate: str | None = Field(description="The certificate's serial")


class Enrolments(Answer):
    """All of a user's courses."""

    items: list[EnrolmentAnswer]


class ActivityAnswer(Answer):
    """A step of a course."""

    id: int
    kind: ActivityKind
    reference: str
    title: str


class EnrolmentWithActivities(EnrolmentAnswer):
    """A course that is assigned to a user, and its steps."""

    activities: list[ActivityAnswer]


class LessonDone(Body):
    """How much of a lesson is done."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"percent": 100}]})

    percent: Percent


class Submission(Body):
    """An attempt at an assignment or a practical assessment."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"body": "My answer.", "score": 82.5}]})

    body: str = Field("", max_length=20_000, pattern=NO_NUL, description="The text of an assignment")
    score: Percent | None = Field(None, description="From graders and learning systems alone: 0 to 100")


class PostText(Body):
    """What is written in a discussion."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"body": "What I took from this course."}]})

    body: Words


class LessonAnswer(Answer):
    """How much of a lesson is done: a lower figure than the stored one does not lower it."""

    activity_id: int
    percent: float
    updated_at: datetime


class SubmissionAnswer(Answer):
    """An attempt that is saved."""

    activity_id: int
    attempt: int
    score: float | None


class PostAnswer(Answer):
    """A post that is saved."""

    id: int
    activity_id: int
    posted_at: datetime


class CompletionAnswer(Answer):
    """That the course is completed."""

    completed_at: datetime
    certificate: str | None = Field(description="The certificate's serial, where the course has certificates on")


@router.get(
    "/users/{user_id}/courses",
    operation_id="listEnrolments",
    response_model=Enrolments,
    responses=problems("user-unknown", "forbidden"),
)
def list_enrolments(user_id: UserId, actor: Learner, session: Database) -> Enrolments:
    """The courses that are assigned to a user, with their registrations: for the user, and for admins."""
    user = _user(session, actor, user_id)
    return Enrolments(items=[EnrolmentAnswer.model_validate(line) for line in training_of(session, user)])


@router.get(
    "/users/{user_id}/courses/{code}",
    operation_id="getEnrolment",
    response_model=EnrolmentWithActivities,
    responses=problems("user-unknown", "course-unknown", "course-not-assigned", "forbidden"),
)
def get_enrolment(user_id: UserId, code: CourseCode, actor: Learner, session: Database) -> EnrolmentWithActivities:
    """One of these courses, with its registration and its activities."""
    user = _user(session, actor, user_id)
    course = course_of(session, actor.organization_id, code)
    line = assigned_course(session, user, code)
    activities = [ActivityAnswer.model_validate(one) for one in activities_of(session, course.id)]
    return EnrolmentWithActivities.model_validate(asdict(line) | {"activities": activities})


@router.put(
    "/registrations/{registration}/activities/{activity_id}/progress",
    operation_id="putProgress",
    response_model=LessonAnswer,
    responses=WRITE_PROBLEMS,
)
def put_progress(
    registration: Registration, activity_id: ActivityId, body: LessonDone, actor: Learner, session: Database
) -> LessonAnswer:
    """Say how much of a lesson is done.

    Like every write here: under one's own registration, or with the permission *Training: Manage courses* under that
    of anybody in the organization, which is in the audit.
    """
    done = record_progress(session, actor, registration, activity_id, _decimal(body.percent))
    return LessonAnswer.model_validate(done)


@router.post(
    "/registrations/{registration}/activities/{activity_id}/submissions",
    operation_id="submit",
    status_code=201,
    response_model=SubmissionAnswer,
    responses=problems(
        "stale-registration", "activity-unknown", "nothing-handed-in", "forbidden", "own-work", "body-too-large"
    ),
)
def post_submission(
    registration: Registration, activity_id: ActivityId, body: Submission, actor: Learner, session: Database
) -> SubmissionAnswer:
    """Hand in an assignment, or the result of a practical assessment. Each call is a further attempt.

    A score needs the permission *Training: Manage courses*, and is never for oneself: nobody marks their own work.
    """
    score = None if body.score is None else _decimal(body.score)
    row = hand_in(session, actor, registration, activity_id, body=body.body, score=score)
    return SubmissionAnswer(activity_id=activity_id, attempt=row.attempt, score=body.score)


@router.post(
    "/registrations/{registration}/activities/{activity_id}/posts",
    operation_id="postInDiscussion",
    status_code=201,
    response_model=PostAnswer,
    responses=problems("stale-registration", "activity-unknown", "nothing-handed-in", "body-too-large"),
)
def post_in_discussion(
    registration: Registration, activity_id: ActivityId, body: PostText, actor: Learner, session: Database
) -> PostAnswer:
    """Write in a discussion."""
    return PostAnswer.model_validate(write_post(session, actor, registration, activity_id, body.body))


@router.put(
    "/registrations/{registration}/completion",
    operation_id="complete",
    response_model=CompletionAnswer,
    responses=problems("stale-registration", "not-yet-done", "body-too-large"),
)
def put_completion(registration: Registration, actor: Learner, session: Database) -> CompletionAnswer:
    """Complete the course. Twice is the same as once.

    For oneself it can be completed once there is something to do in it and all of that is done. For somebody else,
    with the permission *Training: Manage courses*, at any time: also what was done in a classroom or another system.
    """
    return CompletionAnswer.model_validate(complete(session, actor, registration))


def _user(session: Session, actor: Actor, user_id: int) -> User:
    if user_id != actor.user_id:
        actor.must_have_one_of(Permission.COURSES, Permission.USERS)
    return user_of(session, actor.organization_id, user_id)


def _decimal(percent: float) -> Decimal:
    """As the database keeps it; straight from JSON it could have any number of digits."""
    return Decimal(f"{percent:.2f}")
