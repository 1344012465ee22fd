"""A learner's work in a course, activity by activity, as the learner sees it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from models.directory import activities_of
from models.files.files import StoredFile, files_under
from models.people import User
from models.records import AssignmentSubmission, DiscussionPost, LessonProgress, PracticalAssessment
from models.training import Activity, ActivityKind, Enrolment

POSTS_SHOWN = 50  # the latest of a discussion


@dataclass(frozen=True)
class Attempt:
    """One attempt at an assessment or an assignment."""

    number: int
    score: Decimal | None  # 0 to 100; `None` until it is marked
    at: datetime
    body: str
    files: Sequence[StoredFile]


@dataclass(frozen=True)
class Post:
    """A post in a discussion."""

    author: str
    mine: bool
    body: str
    at: datetime


@dataclass
class Step:
    """An activity and the learner's work in it."""

    activity: Activity
    done: bool = False
    percent: Decimal = Decimal(0)  # of a lesson
    attempts: list[Attempt] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)


def steps_of(session: Session, course_id: int, registration: UUID) -> list[Step]:
    """Returns the course's activities in order, with the work under this registration.

    A discussion has the latest posts of everyone who takes the course.
    """
    steps = {activity.id: Step(activity) for activity in activities_of(session, course_id)}
    for lesson in session.scalars(select(LessonProgress).where(LessonProgress.registration == registration)):
        steps[lesson.activity_id].percent = lesson.percent
        steps[lesson.activity_id].done = lesson.percent >= 100
    _add_attempts(session, steps, registration)
    for step in steps.values():
        if step.activity.kind == ActivityKind.DISCUSSION:
            step.posts = _posts(session, step.activity.id, registration)
    mine = select(DiscussionPost.activity_id).where(DiscussionPost.registration == registration).distinct()
    for activity_id in session.scalars(mine):
        steps[activity_id].done = True
    return list(steps.values())


def _add_attempts(session: Session, steps: dict[int, Step], registration: UUID) -> None:
    files: dict[tuple[int, int], list[StoredFile]] = {}
    for file in files_under(session, registration):
        files.setdefault((file.activity_id, file.attempt), []).append(file)
    assessed = select(
        PracticalAssessment.activity_id,
        PracticalAssessment.attempt,
        PracticalAssessment.score,
        PracticalAssessment.assessed_at,
        literal(""),
    ).where(PracticalAssessment.registration == registration)
    submitted = select(
        AssignmentSubmission.activity_id,
        AssignmentSubmission.attempt,
        AssignmentSubmission.score,
        AssignmentSubmission.submitted_at,
        AssignmentSubmission.body,
    ).where(AssignmentSubmission.registration == registration)
    for activity_id, number, score, at, body in session.execute(assessed.union_all(submitted).order_by("attempt")):
        steps[activity_id].done = True
        steps[activity_id].attempts.append(Attempt(number, score, at, body, files.get((activity_id, number), [])))


def _posts(session: Session, activity_id: int, registration: UUID) -> list[Post]:
    latest = (
        select(User.name, DiscussionPost.registration == registration, DiscussionPost.body, DiscussionPost.posted_at)
        .join(Enrolment, Enrolment.registration == DiscussionPost.registration)
        .join(User, User.id == Enrolment.user_id)
        .where(DiscussionPost.activity_id == activity_id)
        .order_by(DiscussionPost.id.desc())
        .limit(POSTS_SHOWN)
    )
    return [Post(*row) for row in reversed(session.execute(latest).all())]
