"""The rows that learners' work is kept in: progress, submissions, posts, completion, each under its registration.

Who may write them, and when, is for `tasks.people.learning` to say.

A write holds the enrolment's row from the check of the registration to its commit, and a reset takes the same lock. So
a write either is complete before the reset, and is cleared by it, or finds its registration gone and is refused.
"""

from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select, union
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models.certificates import new_serial
from models.records import (
    AssignmentSubmission,
    Certificate,
    Completion,
    DiscussionPost,
    LessonProgress,
    PracticalAssessment,
)
from models.refusals.training import ActivityUnknown, StaleRegistration
from models.training import Activity, ActivityKind, Course, Enrolment, EnrolmentState

ACTIVITY_RECORDS: dict[
    ActivityKind, type[LessonProgress | PracticalAssessment | DiscussionPost | AssignmentSubmission]
] = {
    ActivityKind.LESSON: LessonProgress,
    ActivityKind.PRACTICAL_ASSESSMENT: PracticalAssessment,
    ActivityKind.DISCUSSION: DiscussionPost,
    ActivityKind.ASSIGNMENT: AssignmentSubmission,
}


def record_progress(session: Session, registration: UUID, activity_id: int, percent: Decimal | int) -> LessonProgress:
    """Set how much of a lesson is done, 0 to 100 percent; a lower figure than the stored one does not lower it.

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
    """Hand in an assignment, or record the result of a practical assessment: whichever the activity is.

    Each call is a further attempt. `score` is 0 to 100, or none while it is not marked.
    Raises `StaleRegistration`, `ActivityUnknown`.
    """
    enrolment = current(session, registration)
    activity = _activity(session, enrolment, activity_id, ActivityKind.ASSIGNMENT, ActivityKind.PRACTICAL_ASSESSMENT)
    table = AssignmentSubmission if activity.kind == ActivityKind.ASSIGNMENT else PracticalAssessment
    # The lock on the enrolment makes this count safe: no other attempt of this learner is under way.
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
    """Write in a discussion. Raises `StaleRegistration`, `ActivityUnknown`."""
    enrolment = current(session, registration)
    _activity(session, enrolment, activity_id, ActivityKind.DISCUSSION)
    row = DiscussionPost(registration=registration, activity_id=activity_id, body=body)
    session.add(row)
    _advance(session, enrolment)
    return row


def complete(session: Session, registration: UUID) -> Completion:
    """Complete the course; where it has certificates on, a certificate with a new serial is issued.

    Completing what is completed changes nothing and returns the completion there is. Raises `StaleRegistration`.
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


def current(session: Session, registration: UUID) -> Enrolment:
    """The enrolment whose registration this is, held until the commit. Raises `StaleRegistration`."""
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
    """Bring the enrolment's progress up to its records: the share of activities begun or, for lessons, finished."""
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
    # Only completing makes it 100 %: that is the moment with a date and, perhaps, a certificate.
    enrolment.progress = min(99, session.scalars(share).one())
    session.flush()
