"""The dialog *Reset course progress*: from a course's summary page for everyone, from a profile for one user.

With a script it opens over the page it was asked for on; without, it is a page of its own. The answer is the same.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from models.directory import course_of, user_of
from models.groups import Group, groups_with_size
from models.people import User, zone_of
from models.records import kind_labels
from models.refusals.base import Refused
from models.refusals.resets import DueInDaysInvalid, PlanExpired, PlanInvalid, PlanOutdated, StartAtInvalid
from models.resets import Audience
from models.session import Session, transaction
from tasks.reset.impact import impact
from tasks.reset.plan import Options, Plan, make_plan, opened, signed, with_options
from tasks.reset.request import request_reset
from web.access import CoursesAdmin, SignedIn, UsersAdmin
from web.database import Database
from web.numbers import Number
from web.templating import page

router = APIRouter()

COURSE = "/training/content/courses/{code}/reset"
USER = "/users/{user_id}/courses/{code}/reset"


@dataclass(frozen=True)
class Typed:
    """What the form holds, as it was typed."""

    plan: str = ""
    reason: str = ""
    confirm: str = ""
    due_in_days: str = ""
    start_at: str = ""
    notify: bool = True


def _typed(
    plan: Annotated[str, Form(max_length=50_000)] = "",
    reason: Annotated[str, Form(max_length=2000)] = "",
    confirm: Annotated[str, Form(max_length=200)] = "",
    due_in_days: Annotated[str, Form(max_length=10)] = "",
    start_at: Annotated[str, Form(max_length=40)] = "",
    quiet: Annotated[bool, Form()] = False,
) -> Typed:
    return Typed(plan, reason, confirm, due_in_days.strip(), start_at.strip(), not quiet)


Form_ = Annotated[Typed, Depends(_typed)]


@router.get(COURSE)
def course_dialog(
    request: Request,
    code: str,
    person: CoursesAdmin,
    session: Database,
    audience: Literal["assigned", "completed"] = "assigned",
    group: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """What a reset of the course would do, and the form that confirms it."""
    whom = Options(audience=Audience.GROUP, group=group) if group else Options(audience=audience)
    plan = make_plan(session, person.actor, code, **whom)
    return _show(request, session, plan, Typed(), None)


@router.post(COURSE)
def reset_course(request: Request, code: str, person: CoursesAdmin, typed: Form_) -> Response:
    """Confirm it."""
    return _confirm(request, person, code, None, typed)


@router.get(USER)
def user_dialog(request: Request, user_id: Number, code: str, person: UsersAdmin, session: Database) -> Response:
    """The same for one user."""
    user = user_of(session, person.actor.organization_id, user_id)
    plan = make_plan(session, person.actor, code, audience=Audience.USERS, users=[user.id])
    return _show(request, session, plan, Typed(), user)


@router.post(USER)
def reset_user(request: Request, user_id: Number, code: str, person: UsersAdmin, typed: Form_) -> Response:
    """Confirm it."""
    return _confirm(request, person, code, user_id, typed)


def _confirm(request: Request, person: SignedIn, code: str, user_id: int | None, typed: Typed) -> Response:
    try:
        with transaction() as session:
            plan = _plan_of(typed, code, user_id)
            plan = with_options(
                plan,
                due_in_days=_days(typed.due_in_days),
                notify=typed.notify,
                start_at=_moment(typed.start_at, person.user),
            )
            reset = request_reset(
                session, person.actor, plan=signed(plan), confirm=typed.confirm.strip(), reason=typed.reason
            )
    except Refused as refusal:
        return _show_again(request, person, code, user_id, typed, refusal)
    where = f"/resets/{reset.id}"
    if request.headers.get("hx-request"):
        return Response(headers={"HX-Redirect": where})
    return RedirectResponse(where, 303)


def _show_again(
    request: Request, person: SignedIn, code: str, user_id: int | None, typed: Typed, refusal: Refused
) -> Response:
    """The dialog with what was typed, what is wrong with it, and the figures of its plan as they are now."""
    with transaction() as session:
        user = user_of(session, person.actor.organization_id, user_id) if user_id is not None else None
        try:
            plan = _plan_of(typed, code, user_id)
        except PlanInvalid:
            plan = None
        if plan is not None and plan.organization_id != person.actor.organization_id:
            plan = None
        if plan is None or isinstance(refusal, PlanExpired | PlanOutdated):
            plan = make_plan(session, person.actor, code, **_as_before(session, plan, user))
        return _show(request, session, plan, typed, user, error=refusal)


def _as_before(session: Session, plan: Plan | None, user: User | None) -> Options:
    """Whom an earlier plan was for."""
    if user:
        return Options(audience=Audience.USERS, users=[user.id])
    if plan is None:
        return Options(audience=Audience.ASSIGNED)
    group = session.get_one(Group, plan.group_id).code if plan.group_id is not None else None
    return Options(audience=plan.audience, group=group)


def _show(
    request: Request, session: Session, plan: Plan, typed: Typed, user: User | None, error: Refused | None = None
) -> Response:
    seen = impact(session, plan, about=True)
    course = course_of(session, plan.organization_id, plan.course_code)
    code = quote(plan.course_code, safe="")
    here = USER.format(user_id=user.id, code=code) if user else COURSE.format(code=code)
    back = f"/users/{user.id}/qualifications/training" if user else f"/training/content/courses/{code}"
    in_dialog = request.headers.get("hx-request") is not None
    return page(
        request,
        "reset_dialog.html" if in_dialog else "reset_dialog_page.html",
        status=error.status if error else 200,
        course=course,
        user=user,
        groups=[] if user else groups_with_size(session, plan.organization_id),
        seen=seen,
        labels=kind_labels(),
        typed=typed,
        error=error,
        here=here,
        back=back,
        in_dialog=in_dialog,
    )


def _plan_of(typed: Typed, code: str, user_id: int | None) -> Plan:
    """The plan in the form, which must be of this page. Raises `PlanInvalid`."""
    plan = opened(typed.plan)
    if plan.course_code != code or plan.user_ids != ([user_id] if user_id is not None else None):
        raise PlanInvalid
    return plan


def _days(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise DueInDaysInvalid
    return int(text)


def _moment(text: str, user: User) -> datetime | None:
    """What was chosen in the field, which is in the user's own time zone."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone_of(user))
    except ValueError:
        raise StartAtInvalid from None
