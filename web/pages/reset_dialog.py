"""The dialog *Reset course progress*: from a course's page for everyone, from a user's profile for that user.

With scripts it opens over the current page; without, it is a page of its own with the same content. For a list of
learners, see `reset_list.py`.
"""

from functools import partial
from typing import Annotated, Any, Literal
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from models.access import Permission
from models.audience_lists import AudienceList, lines_left_out
from models.directory import course_of, user_of
from models.groups import Group, groups_with_size
from models.people import User, zone_of
from models.records import kind_labels
from models.refusals.base import Refused
from models.refusals.people import GroupUnknown
from models.refusals.resets import PlanExpired, PlanInvalid, PlanOutdated, SkipCompletedInvalid
from models.resets import Audience
from models.session import Session, transaction
from tasks.reset.elsewhere import impact_elsewhere, names_elsewhere
from tasks.reset.impact import impact
from tasks.reset.lists import MOST_LINES
from tasks.reset.plan import Options, Plan, make_plan, opened_by, signed
from tasks.reset.request import request_reset
from tasks.rules.ahead import ahead_of
from web.access import AnyAdmin, CoursesAdmin, SignedIn, UsersAdmin
from web.bodies.limits import LIST_LIMIT, MEGABYTE
from web.database import Database
from web.numbers import Number
from web.pages.reset_form import ResetForm, Typed, days_in, plan_in, plan_with_options
from web.templating import page
from web.waiting import waiting_outside

router = APIRouter()

COURSE = "/training/content/courses/{code}/reset"
USER = "/users/{user_id}/courses/{code}/reset"
LIST = "/audience-lists/{list_id}"
LINES_SHOWN = 20

SkipDays = Annotated[str, Query(max_length=10)]


@router.get(COURSE)
def course_dialog(
    request: Request,
    code: str,
    person: CoursesAdmin,
    session: Database,
    audience: Literal["assigned", "completed", "list"] = "assigned",
    group: Annotated[str, Query(max_length=200)] = "",
    skip_completed_days: SkipDays = "",
) -> Response:
    """Show what a reset of the course would remove, and the form to confirm it."""
    if audience == "list":
        person.actor.must_have(Permission.USERS)
        return ask_for_file(request, session, person, code)
    options = Options(audience=Audience.GROUP, group=group) if group else Options(audience=audience)
    return plan_and_show(request, session, person, code, options, skip_completed_days)


@router.post(COURSE)
def reset_course(request: Request, code: str, person: CoursesAdmin, typed: ResetForm) -> Response:
    """Reset the course."""
    return confirm(request, person, code, None, typed)


@router.get(USER)
def user_dialog(request: Request, user_id: Number, code: str, person: UsersAdmin, session: Database) -> Response:
    """Show what a reset of the course would remove for one user, and the form to confirm it."""
    user = user_of(session, person.actor.organization_id, user_id)
    plan = make_plan(session, person.actor, code, audience=Audience.USERS, users=[user.id])
    return show(request, session, person, plan, Typed(), user)


@router.post(USER)
def reset_user(request: Request, user_id: Number, code: str, person: UsersAdmin, typed: ResetForm) -> Response:
    """Reset the course for one user."""
    return confirm(request, person, code, user_id, typed)


@router.post("/reset-plans/elsewhere")
async def records_elsewhere(
    request: Request, person: AnyAdmin, plan: Annotated[str, Form(max_length=200_000)]
) -> Response:
    """Return what the plan's participants would remove: a part of the dialog, since they may take seconds."""
    ask = partial(impact_elsewhere, opened_by(person.actor, plan), about=True)
    found = await waiting_outside(person.actor.organization_id, ask)
    return page(request, "reset_elsewhere.html", elsewhere=found)


def plan_and_show(
    request: Request, session: Session, person: SignedIn, code: str, options: Options, skip_completed_days: str
) -> Response:
    """Plan and show the dialog. Days that are out of range are refused in it, and nobody is skipped for them."""
    error = None
    try:
        days = days_in(skip_completed_days, SkipCompletedInvalid)
        plan = make_plan(session, person.actor, code, **options | Options(skip_completed_days=days))
    except SkipCompletedInvalid as refusal:
        error, plan = refusal, make_plan(session, person.actor, code, **options)
    return show(request, session, person, plan, Typed(), None, error)


def confirm(
    request: Request, person: SignedIn, code: str, user_id: int | None, typed: Typed, list_id: UUID | None = None
) -> Response:
    """Request the reset that was confirmed, or show the dialog again with what was wrong."""
    try:
        with transaction() as session:
            plan = plan_with_options(typed, code, user_id, zone_of(person.user), list_id)
            asked = {"plan": signed(plan), "confirm": typed.confirm, "reason": typed.reason}
            reset = request_reset(session, person.actor, **asked)
    except Refused as refusal:
        return _show_again(request, person, code, user_id, typed, refusal, list_id)
    where = f"/resets/{reset.id}"
    if request.headers.get("hx-request"):
        return Response(headers={"HX-Redirect": where})
    return RedirectResponse(where, 303)


def _show_again(
    request: Request,
    person: SignedIn,
    code: str,
    user_id: int | None,
    typed: Typed,
    refusal: Refused,
    list_id: UUID | None,
) -> Response:
    """Show the dialog with the values typed, the refusal, and current figures."""
    with transaction() as session:
        user = user_of(session, person.actor.organization_id, user_id) if user_id is not None else None
        try:
            plan = plan_in(typed, code, user_id, list_id)
        except PlanInvalid:
            plan = None
        if plan is not None and plan.organization_id != person.actor.organization_id:
            plan = None
        if plan is None or isinstance(refusal, PlanExpired | PlanOutdated):
            plan = make_plan(session, person.actor, code, **_same_audience(session, plan, user, list_id))
        return show(request, session, person, plan, typed, user, error=refusal)


def _same_audience(session: Session, plan: Plan | None, user: User | None, list_id: UUID | None) -> Options:
    if user:
        return Options(audience=Audience.USERS, users=[user.id])
    if plan is None:
        return Options(audience=Audience.LIST if list_id else Audience.ASSIGNED, list_id=list_id)
    group = session.get(Group, plan.group_id) if plan.group_id is not None else None
    if plan.group_id is not None and group is None:
        raise GroupUnknown(plan.group_id)
    code, days = group.code if group else None, plan.skip_completed_days
    return Options(audience=plan.audience, group=code, list_id=plan.list_id, skip_completed_days=days)


def show(
    request: Request,
    session: Session,
    person: SignedIn,
    plan: Plan,
    typed: Typed,
    user: User | None,
    error: Refused | None = None,
) -> Response:
    """Show the plan's figures now, and the form to confirm it with the values typed."""
    made = session.get(AudienceList, plan.list_id) if plan.list_id is not None else None
    code = quote(plan.course_code, safe="")
    here = USER.format(user_id=user.id, code=code) if user else COURSE.format(code=code)
    if made:
        here = LIST.format(list_id=made.id)
    return _page(
        request,
        "reset_dialog.html",
        status=error.status if error else 200,
        course=course_of(session, plan.organization_id, plan.course_code),
        ahead=ahead_of(session, person.actor, plan.course_id, plan.course_code),
        user=user,
        made=made,
        lines=lines_left_out(session, made.id, limit=LINES_SHOWN) if made else [],
        groups=[] if user or made else groups_with_size(session, plan.organization_id),
        seen=impact(session, plan, about=True),
        elsewhere=names_elsewhere(session, plan),
        labels=kind_labels(),
        typed=typed,
        error=error,
        here=here,
        back=f"/users/{user.id}/qualifications/training" if user else _back(person, code),
    )


def ask_for_file(
    request: Request, session: Session, person: SignedIn, code: str, error: Refused | None = None
) -> Response:
    """Show the form that takes a file with learners, perhaps again, with what was wrong with the file."""
    course = course_of(session, person.actor.organization_id, code)
    quoted = quote(course.code, safe="")
    return _page(
        request,
        "reset_list_form.html",
        status=error.status if error else 200,
        course=course,
        error=error,
        here=f"{COURSE.format(code=quoted)}/list",
        back=_back(person, quoted),
        most_lines=MOST_LINES,
        most_mb=LIST_LIMIT // MEGABYTE - 1,
    )


def _back(person: SignedIn, code: str) -> str:
    return f"/training/content/courses/{code}" if person.may(Permission.COURSES) else "/users"


def _page(request: Request, part: str, *, status: int, **values: Any) -> Response:
    in_dialog = request.headers.get("hx-request") is not None
    template = part if in_dialog else "reset_dialog_page.html"
    return page(request, template, status=status, part=part, in_dialog=in_dialog, **values)
