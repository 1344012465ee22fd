"""What users choose for themselves: whether and how they are alerted, their language and time zone.

The audit records which settings changed, to explain a missing alert, but not their values.
"""

from collections.abc import Mapping
from zoneinfo import available_timezones

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from config.languages import language_of, languages
from models import audit
from models.access import Actor, actor_for
from models.people import User
from models.preferences import AlertLevel, AlertPreference, alert_levels_of
from models.refusals.organizations import TimeZoneUnknown


def choose_settings(session: Session, actor: Actor, *, time_zone: str, notifications: bool, language: str = "") -> None:
    """Set the actor's time zone and language, and turn their alerts on or off. Ignores an unknown language.

    Raises `TimeZoneUnknown`.
    """
    if time_zone not in available_timezones():
        raise TimeZoneUnknown(time_zone)
    user = session.get_one(User, actor.user_id, with_for_update={"key_share": True})
    changed = [
        name
        for name, is_new in (
            ("notifications", user.notifications_on != notifications),
            ("time_zone", user.time_zone != time_zone),
            ("language", language in languages() and language != language_of(user.locale)),
        )
        if is_new
    ]
    user.notifications_on, user.time_zone = notifications, time_zone
    if "language" in changed:  # choosing Deutsch keeps de-CH
        user.locale = language
    if changed:
        audit.record(session, actor, "user.settings_changed", user.id, user.organization_id, changed=changed)


def choose_alerts(session: Session, actor: Actor, *, mail: bool, levels: Mapping[int, AlertLevel]) -> None:
    """Set whether the actor gets alerts by e-mail, and the alert levels of courses, by id.

    Ignores courses not assigned to the actor.
    """
    user = session.get_one(User, actor.user_id, with_for_update={"key_share": True})
    _subscribe(session, actor, user, mail=mail)
    courses = []
    for course in alert_levels_of(session, user.id):
        wanted = levels.get(course.id, course.level)
        if wanted != course.level:
            set_level(session, user.id, course.id, wanted)
            courses.append(course.code)
    if courses:
        audit.record(session, actor, "user.alerts_changed", user.id, user.organization_id, courses=courses)


def unsubscribe(session: Session, user_id: int) -> None:
    """End the user's alerts by e-mail; alerts in the inbox continue. Does nothing if they have ended."""
    user = session.get(User, user_id, with_for_update={"key_share": True})
    if user is not None:
        _subscribe(session, actor_for(user), user, mail=False)


def _subscribe(session: Session, actor: Actor, user: User, *, mail: bool) -> None:
    if user.mail_on == mail:
        return
    user.mail_on = mail
    audit.record(session, actor, "user.subscribed" if mail else "user.unsubscribed", user.id, user.organization_id)


def set_level(session: Session, user_id: int, course_id: int, level: AlertLevel) -> None:
    """Set a user's alert level for a course. The caller checks that the course is assigned to them."""
    if level == AlertLevel.ALL:
        mine = (AlertPreference.user_id == user_id) & (AlertPreference.course_id == course_id)
        session.execute(delete(AlertPreference).where(mine))
        return
    row = insert(AlertPreference).values(user_id=user_id, course_id=course_id, level=level)
    session.execute(
        row.on_conflict_do_update(
            index_elements=[AlertPreference.user_id, AlertPreference.course_id], set_={"level": row.excluded.level}
        )
    )
