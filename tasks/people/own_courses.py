"""Whether a form of a learner's own course is still current."""

from uuid import UUID

from sqlalchemy.orm import Session

from config.languages import translatable
from models.directory import assigned_course
from models.people import User
from models.refusals.training import StaleRegistration


def check_own_registration(session: Session, user: User, code: str, registration: UUID) -> None:
    """Raise `StaleRegistration` unless this is the user's current registration in the course.

    A registration is no secret, so on its own it must not let anyone write in another's name.
    """
    if assigned_course(session, user, code, whom=translatable("you")).registration != registration:
        raise StaleRegistration
