"""Plan a reset: see what it would do, and get the token that its request needs."""

from typing import Annotated

from fastapi import APIRouter, Depends

from models.access import Actor, Permission
from models.directory import course_of, user_of
from models.resets import Audience
from models.session import Session
from models.tokens import Scope
from tasks.reset.impact import preview
from tasks.reset.lists import list_of
from tasks.reset.plan import Options
from tasks.rules.ahead import ahead_of
from web.access import program_with
from web.api.json_route import JsonRoute
from web.api.parameters import CourseCode, UserId
from web.api.responses import problems
from web.api.schemas.plans import CourseResetPlanRequest, ResetPlan, UserResetPlanRequest, plan_of
from web.database import Database

router = APIRouter(tags=["resets"], route_class=JsonRoute)

Planner = Annotated[Actor, Depends(program_with(Scope.RESETS_WRITE, Permission.COURSES, Permission.USERS))]
UsersPlanner = Annotated[Actor, Depends(program_with(Scope.RESETS_WRITE, Permission.USERS))]

PROBLEMS = ("course-unknown", "user-unknown", "forbidden", "not-assigned", "start-at-invalid", "body-too-large")
LISTS = ("audience-invalid", "audience-list-unknown", "audience-list-used")


@router.post(
    "/courses/{code}/reset-plans",
    operation_id="planReset",
    status_code=201,
    response_model=ResetPlan,
    responses=problems(*PROBLEMS, *LISTS, "group-unknown"),
)
def plan_reset(code: CourseCode, body: CourseResetPlanRequest, actor: Planner, session: Database) -> ResetPlan:
    """Plan a reset of a course: see what it would do. Changes nothing.

    Requires the permission *Training: Manage courses*; for the audiences `users` and `list`, *Platform management:
    Users*.
    """
    options = Options(audience=body.audience, users=body.named_users, group=body.group, list_id=body.list_id)
    return _plan(session, actor, code, body, options | Options(skip_completed_days=body.skip_completed_days))


@router.post(
    "/users/{user_id}/courses/{code}/reset-plans",
    operation_id="planResetOfUser",
    status_code=201,
    response_model=ResetPlan,
    responses=problems(*PROBLEMS),
)
def plan_reset_of_user(
    user_id: UserId, code: CourseCode, body: UserResetPlanRequest, actor: UsersPlanner, session: Database
) -> ResetPlan:
    """Plan a reset of a course for one user. Changes nothing.

    Requires the permission *Platform management: Users*.
    """
    user = user_of(session, actor.organization_id, user_id)
    return _plan(session, actor, code, body, Options(audience=Audience.USERS, users=[user.id]))


def _plan(session: Session, actor: Actor, code: str, body: UserResetPlanRequest, options: Options) -> ResetPlan:
    course_of(session, actor.organization_id, code)
    options |= Options(due_in_days=body.due_in_days, notify=body.notify)
    options |= Options(start_at=body.start_at, reason=body.reason.strip())
    seen = preview(session, actor, code, about=True, **options)
    made = list_of(session, actor, seen.plan.list_id) if seen.plan.list_id is not None else None
    return plan_of(
        seen, options.get("group"), made, ahead_of(session, actor, seen.plan.course_id, seen.plan.course_code)
    )
