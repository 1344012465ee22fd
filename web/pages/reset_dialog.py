"""The dialog *Reset course progress*: from a course's page for everyone, from a user's profile for that user.

With scripts it opens over the current page; without, it is a page of its own with the same content.
"""

from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from models.directory import course_of, user_of
from models.groups import Group, groups_with_size
from models.people import User, zone_of
from models.records import kind_labels
from models.refusals.base import Refused
from models.refusals.resets import PlanExpired, PlanInvalid, PlanOutdated
from models.resets import Audience
from models.session import Session, transaction
from tasks.reset.elsewhere import impact_elsewhere, names_elsewhere
from tasks.reset.impact import impact
from tasks.reset.plan import Options, Plan, make_plan, opened_by, signed
from tasks.reset.request import request_reset
from web.access import AnyAdmin, CoursesAdmin, SignedIn, UsersAdmin
from web.database import Database
from web.numbers import Number
from web.pages.reset_form import ResetForm, Typed, plan_in, plan_with_options
from web.templating import page

router = APIRouter()

COURSE = "/training/content/courses/{code}/reset"
USER = "/users/{user_id}/courses/{code}/reset"


@router.get(COURSE)
def course_dialog(
    request: Request,
    code: str,
    person: CoursesAdmin,
    session: Database,
    audience: Literal["assigned", "completed"] = "assigned",
    group: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Show what a reset of the course would remove, and the form to confirm it."""
    options = Options(audience=Audience.GROUP, group=group) if group else Options(audience=audience)
    plan = make_plan(session, person.actor, code, **options)
    return _show(request, session, plan, Typed(), None)


@router.post(COURSE)
def reset_course(request: Request, code: str, person: CoursesAdmin, typed: ResetForm) -> Response:
    """Reset the course."""
    return _confirm(request, person, code, None, typed)


@router.get(USER)
def user_dialog(request: Request, user_id: Number, code: str, person: UsersAdmin, session: Database) -> Response:
    """Show what a reset of the course would remove for one user, and the form to confirm it."""
    user = user_of(session, person.actor.organization_id, user_id)
    plan = make_plan(session, person.actor, code, audience=Audience.USERS, users=[user.id])
    return _show(request, session, plan, Typed(), user)


@router.post(USER)
def reset_user(request: Request, user_id: Number, code: str, person: UsersAdmin, typed: ResetForm) -> Response:
    """Reset the course for one user."""
    return _confirm(request, person, code, user_id, typed)


@router.post("/reset-plans/elsewhere")
def records_elsewhere(request: Request, person: AnyAdmin, plan: Annotated[str, Form(max_length=200_000)]) -> Response:
    """Return what the plan's participants would remove: a part of the dialog, since they may take seconds."""
    found = impact_elsewhere(opened_by(person.actor, plan), about=True)
    return page(request, "reset_elsewhere.html", elsewhere=found)


def _confirm(request: Request, person: SignedIn, code: str, user_id: int | None, typed: Typed) -> Response:
    try:
        with transaction() as session:
            plan = signed(plan_with_options(typed, code, user_id, zone_of(person.user)))
            reset = request_reset(session, person.actor, plan=plan, confirm=typed.confirm, reason=typed.reason)
    except Refused as refusal:
        return _show_again(request, person, code, user_id, typed, refusal)
    where = f"/resets/{reset.id}"
    if request.headers.get("hx-request"):
        return Response(headers={"HX-Redirect": where})
    return RedirectResponse(where, 303)


def _show_again(
    request: Request, person: SignedIn, code: str, user_id: int | None, typed: Typed, refusal: Refused
) -> Response:
    """Show the dialog with the values typed, the refusal, and current figures."""
    with transaction() as session:
        user = user_of(session, person.actor.organization_id, user_id) if user_id is not None else None
        try:
            plan = plan_in(typed, code, user_id)
        except PlanInvalid:
            plan = None
        if plan is not None and plan.organization_id != person.actor.organization_id:
            plan = None
        if plan is None or isinstance(refusal, PlanExpired | PlanOutdated):
            plan = make_plan(session, person.actor, code, **_same_audience(session, plan, user))
        return _show(request, session, plan, typed, user, error=refusal)


def _same_audience(session: Session, plan: Plan | None, user: User | None) -> Options:
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
        elsewhere=names_elsewhere(session, plan),
        labels=kind_labels(),
        typed=typed,
        error=error,
        here=here,
        back=back,
        in_dialog=in_dialog,
    )
