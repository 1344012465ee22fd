"""What learners leave in their courses: lesson progress, submissions, posts, completions."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Path

from models.access import Actor
from models.tokens import Scope
from tasks.people.learning import complete, complete_at, hand_in, record_progress, write_post
from web.access import program_with
from web.api.json_route import JsonRoute
from web.api.responses import problems
from web.api.schemas.learning import (
    CompletionRequest,
    LessonProgressUpdate,
    PostRequest,
    SavedCompletion,
    SavedLessonProgress,
    SavedPost,
    SavedSubmission,
    SubmissionRequest,
)
from web.database import Database
from web.numbers import BIGGEST

router = APIRouter(tags=["learning"], route_class=JsonRoute)

Writer = Annotated[Actor, Depends(program_with(Scope.LEARNING_WRITE))]
Registration = Annotated[UUID, Path(description="The enrolment's registration; a reset replaces it")]
ActivityId = Annotated[int, Path(ge=1, le=BIGGEST, description="An activity of the course")]

PROBLEMS = ("stale-registration", "activity-unknown", "body-too-large")

OptionalCompletion = Annotated[
    CompletionRequest | None, Body(examples=[{"completed_at": "2026-11-03T14:30:00Z", "score": 92.5}])
]


@router.put(
    "/registrations/{registration}/activities/{activity_id}/progress",
    operation_id="putLessonProgress",
    response_model=SavedLessonProgress,
    responses=problems(*PROBLEMS),
)
def put_progress(
    registration: Registration, activity_id: ActivityId, body: LessonProgressUpdate, actor: Writer, session: Database
) -> SavedLessonProgress:
    """Record how much of a lesson is done. A lower percentage than the stored one changes nothing.

    As with every write here, the registration must be the user's own; with the permission *Training: Manage courses*,
    anyone's in the organization. Writes for others are audited.
    """
    progress = record_progress(session, actor, registration, activity_id, _decimal(body.percent))
    return SavedLessonProgress.model_validate(progress)


@router.post(
    "/registrations/{registration}/activities/{activity_id}/submissions",
    operation_id="submitWork",
    status_code=201,
    response_model=SavedSubmission,
    responses=problems(*PROBLEMS, "nothing-handed-in", "forbidden", "own-work"),
)
def post_submission(
    registration: Registration, activity_id: ActivityId, body: SubmissionRequest, actor: Writer, session: Database
) -> SavedSubmission:
    """Hand in an assignment, or the result of a practical assessment. Each call is a new attempt.

    A score requires the permission *Training: Manage courses*. Nobody can score their own work.
    """
    score = None if body.score is None else _decimal(body.score)
    attempt = hand_in(session, actor, registration, activity_id, body=body.body, score=score)
    return SavedSubmission(activity_id=activity_id, attempt=attempt.attempt, score=body.score)


@router.post(
    "/registrations/{registration}/activities/{activity_id}/posts",
    operation_id="postInDiscussion",
    status_code=201,
    response_model=SavedPost,
    responses=problems(*PROBLEMS, "nothing-handed-in"),
)
def post_in_discussion(
    registration: Registration, activity_id: ActivityId, body: PostRequest, actor: Writer, session: Database
) -> SavedPost:
    """Post in a discussion."""
    return SavedPost.model_validate(write_post(session, actor, registration, activity_id, body.body))


@router.put(
    "/registrations/{registration}/completion",
    operation_id="completeCourse",
    response_model=SavedCompletion,
    responses=problems(
        "stale-registration", "not-yet-done", "forbidden", "own-completion", "completion-undatable", "body-too-large"
    ),
)
def put_completion(
    registration: Registration, actor: Writer, session: Database, body: OptionalCompletion = None
) -> SavedCompletion:
    """Complete a course. Repeating it changes nothing.

    Users complete their own course once it has activities and all of them are done. With the permission *Training:
    Manage courses*, you can complete the course of anyone else at any time, such as after classroom training. With
    `completed_at` you record a completion of the past, with its `score`: it issues no certificate, replaces only an
    older one, and is refused if the course was reset after that date.
    """
    if body is None or body.completed_at is None:
        return SavedCompletion.model_validate(complete(session, actor, registration))
    score = None if body.score is None else _decimal(body.score)
    return SavedCompletion.model_validate(complete_at(session, actor, registration, body.completed_at, score))


def _decimal(percent: float) -> Decimal:
    """Returns the percentage with the two decimals that the database keeps."""
    return Decimal(f"{percent:.2f}")
