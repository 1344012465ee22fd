"""Write under a registration: as its learner, or on behalf of one, as graders and learning systems do.

Users who write for themselves follow a learner's rules, whatever their permissions. Writes for others need *Training:
Manage courses*. The audit records who wrote, for whom, in which course and which kind of record, but not the content.
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
from models.refusals.training import NothingHandedIn, NotYetDone, OwnCompletion, OwnWork, StaleRegistration
from models.session import transaction
from models.training import Course, Enrolment, EnrolmentState


@dataclass(frozen=True)
class Completed:
    """The completion of a course."""

    completed_at: datetime
    score: Decimal | None  # 0 to 100, if another system reported one
    certificate: str | None  # its serial


def learner_seen_by(session: Session, actor: Actor, user_id: int) -> User:
    """Returns the user whose courses the actor asks for: themselves, or anyone if the actor is an admin.

    Raises `Forbidden`, `UserUnknown`.
    """
    if user_id != actor.user_id:
        actor.must_have_one_of(Permission.COURSES, Permission.USERS)
    return user_of(session, actor.organization_id, user_id)


def may_complete(steps: Sequence[Step]) -> bool:
    """Whether a learner may complete a course with these steps: there are some, and all are done.

    See `docs/decisions/0059-a-course-without-activities.md`.
    """
    return bool(steps) and all(step.done for step in steps)


def record_progress(
    session: Session, actor: Actor, registration: UUID, activity_id: int, percent: Decimal | int
) -> LessonProgress:
    """Set how much of a lesson is done, in percent. A lower value than the stored one changes nothing.

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
    """Hand in an assignment or a practical assessment, as a new attempt.

    `score` is 0 to 100; it needs the permission to manage courses, and cannot be for the actor's own work. Raises
    `StaleRegistration`, `ActivityUnknown`, `NothingHandedIn`, `Forbidden`, `OwnWork`, `UploadExpired`.
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
    """Hand in a file, with or without text. In its own transactions: a slow upload must hold no lock.

    Raises the refusals of `hand_in` and `models.files.uploads.receive`.
    """
    with transaction() as session:  # store nothing for a registration that the actor cannot write to
        _enrolment(session, actor, registration)
    upload = receive(actor.organization_id, filename, content)
    with transaction() as session:
        hand_in(session, actor, registration, activity_id, body=body, upload=upload)


def write_post(session: Session, actor: Actor, registration: UUID, activity_id: int, body: str) -> DiscussionPost:
    """Post in a discussion. Raises `StaleRegistration`, `ActivityUnknown`, `NothingHandedIn`."""
    enrolment = _enrolment(session, actor, registration)
    if not body.strip():
        raise NothingHandedIn
    post = learning.post(session, registration, activity_id, body.strip())
    _note(session, actor, enrolment, DiscussionPost)
    return post


def complete_at(
    session: Session, actor: Actor, registration: UUID, at: datetime, score: Decimal | None = None
) -> Completed:
    """Record for someone else that they completed the course at a given date, with a score of 0 to 100.

    It is history: no certificate is issued. An older completion than the stored one changes nothing. Raises
    `StaleRegistration`, `Forbidden`, `OwnCompletion`, `CompletionUndatable`.
    """
    enrolment = _enrolment(session, actor, registration)
    actor.must_have(Permission.COURSES)
    if enrolment.user_id == actor.user_id:
        raise OwnCompletion
    known = session.get(Completion, registration)
    before = known and (known.completed_at, known.score)
    completion = learning.complete_at(session, registration, at, score)
    if before != (completion.completed_at, completion.score):
        _note(session, actor, enrolment, Completion)
    return _completed(session, completion)


def complete(session: Session, actor: Actor, registration: UUID) -> Completed:
    """Complete the course. Does nothing if it is completed. Raises `StaleRegistration`, and `NotYetDone` for oneself.

    A course can be completed for others at any time: a classroom's or another system's steps are not known here.
    """
    enrolment = _enrolment(session, actor, registration)
    if enrolment.state != EnrolmentState.COMPLETED:
        if enrolment.user_id == actor.user_id:
            steps = steps_of(session, enrolment.course_id, registration)
            if not may_complete(steps):
                raise NotYetDone(anything_to_do=bool(steps))
        _note(session, actor, enrolment, Completion)
    return _completed(session, learning.complete(session, registration))


def _completed(session: Session, completion: Completion) -> Completed:
    certificate = session.get(Certificate, completion.registration)
    return Completed(completion.completed_at, completion.score, certificate.serial if certificate else None)


def _enrolment(session: Session, actor: Actor, registration: UUID) -> Enrolment:
    """Returns the enrolment to write to, locked until the commit.

    Raises `StaleRegistration`, also for a registration that the actor cannot write to: it does not reveal that it
    exists.
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
