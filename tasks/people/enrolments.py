"""End a user's enrolments. Records stay under their registration; a running reset skips who is no longer assigned."""

from sqlalchemy import ColumnElement, literal_column, select, update
from sqlalchemy.orm import Session

from config.languages import translatable
from models import audit
from models.access import Actor, Permission
from models.directory import course_of
from models.people import User
from models.refusals.people import UserUnknown
from models.refusals.training import CourseNotAssigned
from models.session import changed_rows
from models.training import ENDED_AT, Enrolment


def unassign(session: Session, actor: Actor, user: User, code: str) -> None:
    """Unassign the course with this code from the user, who continues where they stopped if it is assigned again.

    Raises `Forbidden`, `UserUnknown`, `CourseUnknown`, `CourseNotAssigned`.
    """
    actor.must_have(Permission.COURSES)
    if user.organization_id != actor.organization_id:
        raise UserUnknown(str(user.id))
    course = course_of(session, actor.organization_id, code)
    ended = end_enrolments(session, (Enrolment.user_id == user.id) & (Enrolment.course_id == course.id))
    if not ended:
        raise CourseNotAssigned(course.code, translatable("this user"))
    audit.record(session, actor, "enrolment.ended", ended[0], course.organization_id, user=user.id, course=course.code)


def end_enrolments(session: Session, which: ColumnElement[bool]) -> list[int]:
    """End these enrolments now. Returns the ids of those that had not ended before."""
    open_ones = select(Enrolment.id).where(which, Enrolment.unassigned_at.is_(None))
    # In the order of ids, as resets and imports lock them.
    ended = list(session.scalars(open_ones.order_by(Enrolment.id).with_for_update(key_share=True)))
    changed_rows(
        session, update(Enrolment).where(Enrolment.id.in_(ended)).values(unassigned_at=literal_column(ENDED_AT))
    )
    return ended
