"""Learners who are exempt from resets of a course."""

from datetime import datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from models.directory import course_of, user_of, users_by_address
from models.exemptions import exemptions_of
from models.people import zone_of
from models.refusals.audience_lists import ExemptionInvalid
from models.refusals.base import Refused
from models.session import Session, savepoint
from tasks.days import end_of_day
from tasks.reset.exemptions import end_exemption, exempt
from web.access import AnyAdmin, SignedIn
from web.database import Database
from web.numbers import Number
from web.pager import Pager
from web.templating import page

router = APIRouter(prefix="/training/content/courses/{code}/exemptions")

Text = Annotated[str, Form(max_length=2000)]


@router.get("")
def exemptions(
    request: Request,
    code: str,
    person: AnyAdmin,
    session: Database,
    user: Annotated[str, Query(max_length=320)] = "",
    after: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    """List the exempt learners, with a form to add one; `user` is an address to begin with."""
    return _show(request, session, person, code, {"user": user}, after=after)


@router.post("")
def add(
    request: Request,
    code: str,
    person: AnyAdmin,
    session: Database,
    user: Text = "",
    reason: Text = "",
    until: Text = "",
) -> Response:
    """Exempt a learner until the end of a day, or for good."""
    course = course_of(session, person.actor.organization_id, code)
    try:
        with savepoint(session):
            [found] = users_by_address(session, person.actor.organization_id, [user.strip()])
            exempt(session, person.actor, course, found, reason=reason, until=_end_of(until.strip(), person))
    except Refused as refusal:
        return _show(request, session, person, code, {"user": user, "reason": reason, "until": until}, refusal)
    return RedirectResponse(_address(course.code), 303)


@router.post("/{user_id}/end")
def end(code: str, user_id: Number, person: AnyAdmin, session: Database) -> Response:
    """End a learner's exemption."""
    course = course_of(session, person.actor.organization_id, code)
    end_exemption(session, person.actor, course, user_of(session, person.actor.organization_id, user_id))
    return RedirectResponse(_address(course.code), 303)


def _end_of(day: str, person: SignedIn) -> datetime | None:
    """Return the end of the day in the person's time zone."""
    if not day:
        return None
    try:
        return end_of_day(day, zone_of(person.user))
    except ValueError:
        raise ExemptionInvalid from None


def _address(code: str) -> str:
    return f"/training/content/courses/{quote(code, safe='')}/exemptions"


def _show(
    request: Request,
    session: Session,
    person: SignedIn,
    code: str,
    typed: dict[str, str],
    error: Refused | None = None,
    after: str = "",
) -> Response:
    course = course_of(session, person.actor.organization_id, code)
    pager = Pager(request, after, (str, int))
    found = exemptions_of(session, course, after=pager.after, limit=pager.limit)
    return page(
        request,
        "exemptions.html",
        status=error.status if error else 200,
        course=course,
        exemptions=pager.cut(found, lambda one: (one[1].name, one[1].id)),
        pager=pager,
        typed={"user": "", "reason": "", "until": ""} | typed,
        error=error,
        here=_address(course.code),
    )
