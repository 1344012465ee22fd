"""Write under a registration: as its learner, or for them, as graders and learning systems do.

For oneself the rules of a learner hold, whatever else one may do. A write for somebody else needs *Training: Manage
courses* and is in the audit: who, for whom, in which course, which kind of record, and never what it says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import BinaryIO
from uuid import UUID

from sqlalchemy.orm import Session

from models import audit, learning
from models.access import Actor, Permission
from models.coursework import Step, steps_of
from models.directory import user_of
from models.files.files import StoredFile, attach
from models.files.uploads import Upload, receive
from models.people import User
from models.records import (
    AssignmentSubmission,
    Certificate,
    Completion,
    DiscussionPost,
    LearnerRecord,
    LessonProgress,
    PracticalAssessment,
)
from models.refusals.training import NothingHandedIn, NotYetDone, OwnWork, StaleRegistration
from models.session import transaction
from models.training import Course, Enrolment, EnrolmentState


@dataclass(frozen=True)
class Completed:
    """That a course is completed."""

    completed_at: datetime
    certificate: str | None  # its serial


def learner_seen_by(session: Session, actor: Actor, user_id: int) -> User:
    """Returns the user whose courses the actor asks for: themselves, or anyone if the actor is an admin.

    Raises `Forbidden`, `UserUnknown`.
    """
    if user_id != actor.user_id:
        actor.must_have_one_of(Permission.COURSES, Permission.USERS)
    return user_of(session, actor.organization_id, user_id)


def may_complete(steps: Sequence[Step]) -> bool:
    """Whether a learner may complete a course with these steps: there is something to do, and all of it is done.

    Nobody vouches for having done nothing. See `docs/decisions/0059-a-course-without-activities.md`.
    """
    return bool(steps) and all(step.done for step in steps)


def record_progress(
    session: Session, actor: Actor, registration: UUID, activity_id: int, percent: Decimal | int
) -> LessonProgress:
    """Set how much of a lesson is done; a lower figure than the stored one does not lower it.

    Raises `StaleRegistration`, `ActivityUnknown`.
    """
    enrolment = _enrolment(session, actor, registration)
    progress = learning.record_progress(session, registration, activity_id, percent)
    _note(session, actor, enrolment, LessonProgress)
    return progress


def hand_in(
    session: Session,
    actor: Actor,
    registration: UUID,
    activity_id: int,
    *,
    body: str = "",
    score: Decimal | None = None,
    upload: Upload | None = None,
) -> AssignmentSubmission | PracticalAssessment:
    """Hand in an assignment or a practical assessment, as a further attempt.

    `score` is 0 to 100, from whoever may mark, and never for oneself. Raises `StaleRegistration`, `ActivityUnknown`,
    `NothingHandedIn`, `Forbidden`, `OwnWork`, `UploadExpired`.
    """
    enrolment = _enrolment(session, actor, registration)
    if score is not None:
        actor.must_have(Permission.COURSES)
        if enrolment.user_id == actor.user_id:
            raise OwnWork
    body = body.strip()
    if not body and score is None and upload is None:
        raise NothingHandedIn
    attempt = learning.submit(session, registration, activity_id, body=body, score=score)
    _note(session, actor, enrolment, type(attempt))
    if upload is not None:
        attach(session, attempt, upload)
        _note(session, actor, enrolment, StoredFile)
    return attempt


def hand_in_file(
    actor: Actor, registration: UUID, activity_id: int, *, body: str, filename: str, content: BinaryIO
) -> None:
    """Hand in a file, with words or without. In transactions of its own, since a slow line must hold no lock.

    Raises what `hand_in` and `models.files.uploads.receive` raise.
    """
    with transaction() as session:  # what is nobody's to hand in is not stored
        _enrolment(session, actor, registration)
    upload = receive(actor.organization_id, filename, content)
    with transaction() as session:
        hand_in(session, actor, registration, activity_id, body=body, upload=upload)


def write_post(session: Session, actor: Actor, registration: UUID, activity_id: int, body: str) -> DiscussionPost:
    """Write in a discussion. Raises `StaleRegistration`, `ActivityUnknown`, `NothingHandedIn`."""
    enrolment = _enrolment(session, actor, registration)
    if not body.strip():
        raise NothingHandedIn
    post = learning.post(session, registration, activity_id, body.strip())
    _note(session, actor, enrolment, DiscussionPost)
    return post


def complete(session: Session, actor: Actor, registration: UUID) -> Completed:
    """Complete the course; twice is the same as once. Raises `StaleRegistration`, and `NotYetDone` to a learner.

    For others it can be said at any time: what a classroom or another system saw done is not in the steps here.
    """
    enrolment = _enrolment(session, actor, registration)
    if enrolment.state != EnrolmentState.COMPLETED:
        if enrolment.user_id == actor.user_id:
            steps = steps_of(session, enrolment.course_id, registration)
            if not may_complete(steps):
                raise NotYetDone(anything_to_do=bool(steps))
        _note(session, actor, enrolment, Completion)
    completion = learning.complete(session, registration)
    certificate = session.get(Certificate, registration)
    return Completed(completion.completed_at, certificate.serial if certificate else None)


def _enrolment(session: Session, actor: Actor, registration: UUID) -> Enrolment:
    """The enrolment under which the actor writes, held until the commit.

    A registration is a secret of nobody's. One that the actor has nothing to do with is as unknown as one that never
    was. Raises `StaleRegistration`.
    """
    enrolment = learning.current(session, registration)
    if enrolment.organization_id != actor.organization_id:
        raise StaleRegistration
    if enrolment.user_id != actor.user_id and Permission.COURSES not in actor.permissions:
        raise StaleRegistration
    return enrolment


def _note(session: Session, actor: Actor, enrolment: Enrolment, kind: type[LearnerRecord]) -> None:
    if enrolment.user_id == actor.user_id:
        return
    code = session.get_one(Course, enrolment.course_id).code
    audit.record(
        session,
        actor,
        "learning.written_for",
        enrolment.user_id,
        enrolment.organization_id,
        course=code,
        kind=kind.kind(),
    )
