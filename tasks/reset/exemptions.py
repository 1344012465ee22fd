"""Exempt learners from the resets of a course, and end that."""

from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import audit
from models.access import Actor, Permission
from models.exemptions import Exemption
from models.people import User
from models.refusals.audience_lists import ExemptionInvalid, ExemptionUnknown
from models.refusals.people import UserUnknown
from models.training import Course

LONGEST_REASON = 500
LATEST = datetime(9001, 1, 1, tzinfo=UTC)  # no time zone shows a later year than Python knows


def exempt(
    session: Session, actor: Actor, course: Course, user: User, *, reason: str, until: datetime | None = None
) -> Exemption:
    """Leave the user out of resets of the course, until a moment or for good. Replaces an exemption that they have.

    A reset that has begun is not concerned. Raises `Forbidden`, `UserUnknown`, `ExemptionInvalid`.
    """
    actor.must_have_one_of(Permission.COURSES, Permission.USERS)
    reason = reason.strip()
    if not reason or len(reason) > LONGEST_REASON or "\x00" in reason:
        raise ExemptionInvalid
    if until is not None and not datetime.now(UTC) < until < LATEST:
        raise ExemptionInvalid
    if user.organization_id != actor.organization_id or user.erased_at is not None:
        raise UserUnknown(user.email)
    session.refresh(user, with_for_update={"key_share": True})  # one at a time
    _end(session, actor, course, user)
    made = Exemption(
        organization_id=course.organization_id,
        course_id=course.id,
        user_id=user.id,
        reason=reason,
        until=until,
        made_by=actor.user_id,
        maker=actor.name,
    )
    session.add(made)
    session.flush()
    details = {"course": course.code, "user": user.id, "until": until.isoformat() if until else None, "reason": reason}
    audit.record(session, actor, "exemption.added", made.id, made.organization_id, **details)
    return made


def end_exemption(session: Session, actor: Actor, course: Course, user: User) -> None:
    """End the user's exemption: the next resets of the course include them. Raises `Forbidden`, `ExemptionUnknown`."""
    actor.must_have_one_of(Permission.COURSES, Permission.USERS)
    session.refresh(user, with_for_update={"key_share": True})
    ended = _end(session, actor, course, user)
    if ended is None or (ended.until is not None and ended.until <= datetime.now(UTC)):
        raise ExemptionUnknown(user.email, course.code)
    details = {"course": course.code, "user": user.id}
    audit.record(session, actor, "exemption.ended", ended.id, ended.organization_id, **details)


def _end(session: Session, actor: Actor, course: Course, user: User) -> Exemption | None:
    """End the one that nobody has ended yet, even if its date has passed. Returns it."""
    theirs = (Exemption.course_id == course.id) & (Exemption.user_id == user.id)
    found = session.scalar(select(Exemption).where(theirs, Exemption.ended_at.is_(None)))
    if found is not None:
        found.ended_at, found.ended_by = session.scalars(select(func.now())).one(), actor.name
        session.flush()
    return found
