"""A learner's own courses: what is assigned to them, and whether a form of theirs is still current."""

from uuid import UUID

from sqlalchemy.orm import Session

from models.directory import TrainingLine, course_of, training_of
from models.people import User
from models.refusals.training import CourseNotAssigned, StaleRegistration


def own_course(session: Session, user: User, code: str) -> TrainingLine:
    """Return the course as assigned to the user. Raises `CourseNotAssigned`, `CourseUnknown`."""
    found = training_of(session, user, code)
    if not found:
        raise CourseNotAssigned(course_of(session, user.organization_id, code).code, "you")
    return found[0]


def check_own_registration(session: Session, user: User, code: str, registration: UUID) -> None:
    """Raise `StaleRegistration` unless this is the user's current registration in the course.

    A registration is no secret, so on its own it must not let anyone write in another's name.
    """
    if own_course(session, user, code).registration != registration:
        raise StaleRegistration
