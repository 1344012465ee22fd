"""Writing learners' work: progress, submissions, posts and completion, each under its registration.

`tasks.people.learning` checks who may write. A write locks the enrolment's row before it checks the registration, and a
reset takes the same lock. So a write is either committed before the reset and cleared by it, or refused as stale.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select, union
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from config.languages import translatable
from models.certificates import new_serial
from models.records import (
    AssignmentSubmission,
    Certificate,
    Completion,
    DiscussionPost,
    LessonProgress,
    PracticalAssessment,
)
from models.refusals.training import ActivityUnknown, CompletionUndatable, StaleRegistration
from models.training import Activity, ActivityKind, Course, Enrolment, EnrolmentState

AHEAD = timedelta(minutes=5)  # of our clock: others differ

ACTIVITY_RECORDS: dict[
    ActivityKind, type[LessonProgress | PracticalAssessment | DiscussionPost | AssignmentSubmission]
] = {
    ActivityKind.LESSON: LessonProgress,
    ActivityKind.PRACTICAL_ASSESSMENT: PracticalAssessment,
    ActivityKind.DISCUSSION: DiscussionPost,
    ActivityKind.ASSIGNMENT: AssignmentSubmission,
}


def record_progress(session: Session, registration: UUID, activity_id: int, percent: Decimal | int) -> LessonProgress:
    """Set the progress of a lesson, 0 to 100 percent. Progress never goes down.

    Raises `StaleRegistration`, `ActivityUnknown`.
    """
    enrolment = current(session, registration)
    _activity(session, enrolment, activity_id, ActivityKind.LESSON)
    row = insert(LessonProgress).values(registration=registration, activity_id=activity_id, percent=percent)
    progress = session.scalars(
        row.on_conflict_do_update(
            index_elements=[LessonProgress.registration, LessonProgress.activity_id],
            set_={
                "percent": func.greatest(LessonProgress.percent, row.excluded.percent),
                "updated_at": func.now(),
            },
        ).returning(LessonProgress),
        execution_options={"populate_existing": True},
    ).one()
    _advance(session, enrolment)
    return progress


def submit(
    session: Session,
    registration: UUID,
    activity_id: int,
    *,
    body: str = "",
    score: Decimal | int | None = None,
) -> AssignmentSubmission | PracticalAssessment:
    """Hand in an assignment, or record the result of a practical assessment, depending on the activity.

    Each call is another attempt. `score` is 0 to 100, `None` until it is marked.
    Raises `StaleRegistration`, `ActivityUnknown`.
    """
    enrolment = current(session, registration)
    activity = _activity(session, enrolment, activity_id, ActivityKind.ASSIGNMENT, ActivityKind.PRACTICAL_ASSESSMENT)
    table = AssignmentSubmission if activity.kind == ActivityKind.ASSIGNMENT else PracticalAssessment
    # The lock on the enrolment makes this count safe.
    attempts = session.scalar(
        select(func.count()).where(table.registration == registration, table.activity_id == activity_id)
    )
    row = table(registration=registration, activity_id=activity_id, attempt=(attempts or 0) + 1, score=score)
    if isinstance(row, AssignmentSubmission):
        row.body = body
    session.add(row)
    _advance(session, enrolment)
    return row


def post(session: Session, registration: UUID, activity_id: int, body: str) -> DiscussionPost:
    """Post in a discussion. Raises `StaleRegistration`, `ActivityUnknown`."""
    enrolment = current(session, registration)
    _activity(session, enrolment, activity_id, ActivityKind.DISCUSSION)
    row = DiscussionPost(registration=registration, activity_id=activity_id, body=body)
    session.add(row)
    _advance(session, enrolment)
    return row


def complete(session: Session, registration: UUID) -> Completion:
    """Complete the course, and issue a certificate if the course has them on.

    A completed course stays as it is. Returns the completion. Raises `StaleRegistration`.
    """
    enrolment = current(session, registration)
    completion = session.get(Completion, registration)
    if completion is None:
        completion = Completion(registration=registration)
        session.add(completion)
        session.flush()
        enrolment.state = EnrolmentState.COMPLETED
        enrolment.progress = 100
        enrolment.completed_at = completion.completed_at
        if session.get_one(Course, enrolment.course_id).certificates_on:
            certificate = Certificate(
                registration=registration,
                serial=new_serial(),
                organization_id=enrolment.organization_id,
                pdf_due_at=func.now(),
            )
            session.add(certificate)
        session.flush()
    return completion


def complete_at(session: Session, registration: UUID, at: datetime, score: Decimal | None = None) -> Completion:
    """Record a completion of a given date, with a score of 0 to 100; issues no certificate.

    A newer completion replaces an older one; an older one than is stored changes nothing. Returns the stored one.
    Raises `StaleRegistration`, `CompletionUndatable`.
    """
    enrolment = current(session, registration)
    if enrolment.reset_at is not None and at <= enrolment.reset_at:
        raise CompletionUndatable(translatable("the course was reset after this date"))
    if at > session.scalars(select(func.clock_timestamp())).one() + AHEAD:
        raise CompletionUndatable(translatable("this date is in the future"))
    completion = session.get(Completion, registration)
    if completion is None:
        completion = Completion(registration=registration, completed_at=at, score=score)
        session.add(completion)
    elif at > completion.completed_at:
        completion.completed_at, completion.score = at, score
    elif at == completion.completed_at and score is not None:
        completion.score = score
    enrolment.state = EnrolmentState.COMPLETED
    enrolment.progress = 100
    enrolment.completed_at = completion.completed_at
    session.flush()
    return completion


def current(session: Session, registration: UUID) -> Enrolment:
    """Returns the enrolment with this registration, locked until the commit. Raises `StaleRegistration`."""
    enrolment = session.scalar(
        select(Enrolment)
        .where(Enrolment.registration == registration, Enrolment.unassigned_at.is_(None))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if enrolment is None:
        raise StaleRegistration
    return enrolment


def _activity(session: Session, enrolment: Enrolment, activity_id: int, *kinds: ActivityKind) -> Activity:
    activity = session.get(Activity, activity_id)
    if activity is None or activity.course_id != enrolment.course_id or activity.kind not in kinds:
        raise ActivityUnknown(activity_id, " or ".join(kinds))
    return activity


def _advance(session: Session, enrolment: Enrolment) -> None:
    """Update the enrolment's progress: the share of activities that were begun or, for lessons, finished."""
    session.flush()
    if enrolment.state == EnrolmentState.COMPLETED:
        return

    done = union(
        *(
            select(table.activity_id).where(
                table.registration == enrolment.registration,
                *([LessonProgress.percent >= 100] if table is LessonProgress else []),
            )
            for table in ACTIVITY_RECORDS.values()
        )
    ).subquery()
    share = select(
        100
        * select(func.count()).select_from(done).scalar_subquery()
        // func.greatest(1, select(func.count()).where(Activity.course_id == enrolment.course_id).scalar_subquery())
    )
    enrolment.state = EnrolmentState.IN_PROGRESS
    # Only `complete` sets 100, with a date and perhaps a certificate.
    enrolment.progress = min(99, session.scalars(share).one())
    session.flush()
