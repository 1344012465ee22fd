"""The courses with their completion as a list: in *Training, Content, Courses*, and in analytics."""

from typing import Any

from fastapi.responses import Response

from models.analytics_lists import count_courses, courses_listed
from models.session import Session
from web.access import SignedIn
from web.shown import Shown

HEAD = ("code", "title", "assigned", "not_started", "in_progress", "completed", "rate")


def courses_page(session: Session, person: SignedIn, shown: Shown) -> dict[str, Any]:
    """Return what the list shows."""
    organization = person.actor.organization_id
    lines = courses_listed(
        session, organization, shown.q, sort=shown.sort, after=shown.pager.after, limit=shown.pager.limit
    )
    return {"courses": shown.cut(lines), "count": count_courses(session, organization, shown.q), "shown": shown}


def courses_csv(person: SignedIn, shown: Shown, name: str) -> Response:
    """Return the rows of all pages as a file."""
    organization = person.actor.organization_id
    return shown.as_csv(
        name,
        HEAD,
        lambda own, after, limit: courses_listed(own, organization, shown.q, sort=shown.sort, after=after, limit=limit),
        lambda one: (
            one.code,
            one.title,
            one.assigned,
            one.not_started,
            one.in_progress,
            one.completed,
            round(one.rate, 4),
        ),
    )
