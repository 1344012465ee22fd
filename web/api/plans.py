"""Plans: what a reset would do, and the token without which there is none."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import ConfigDict, Field

from models.access import Actor, Permission
from models.directory import course_of, user_of
from models.resets import Audience
from models.session import Session
from models.tokens import Scope
from tasks.reset.impact import Preview, preview
from tasks.reset.plan import LONGEST_DUE_IN_DAYS, MOST_NAMED_USERS, Options
from web.access import program_with
from web.api.body import JsonRoute
from web.api.document import problems
from web.api.fields import NO_NUL, Answer, Body, CourseCode, Flag, Id, Moment, UserId
from web.database import Database

router = APIRouter(tags=["resets"], route_class=JsonRoute)

Planner = Annotated[Actor, Depends(program_with(Scope.RESETS_WRITE))]

Reason = Annotated[
    str, Field(max_length=2000, pattern=NO_NUL, description="Why, for the audit; here or with the request of the reset")
]


class PlanOfUser(Body):
    """What can be said of a reset of one user."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "incident 7731", "due_in_days": 30}]})

    reason: Reason = ""
    due_in_days: Annotated[int, Field(strict=True, ge=1, le=LONGEST_DUE_IN_DAYS)] | None = Field(
        None, description="The new due date: so many days after the reset. Without it there is none."
    )
    notify: Flag = Field(True, description="Whether learners are alerted that the course is assigned again")
    start_at: Moment | None = Field(None, description="Not before this moment, within the next 365 days")


class PlanOfCourse(PlanOfUser):
    """What can be said of a reset of a course."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"audience": "assigned", "reason": "yearly recertification", "due_in_days": 30}]
        }
    )

    audience: Audience = Field(
        Audience.ASSIGNED,
        description="Everyone assigned, those who have completed the course, the named users, or a group",
    )
    user_ids: list[Id] | None = Field(
        None, min_length=1, max_length=MOST_NAMED_USERS, description="With the audience `users`"
    )
    group: Annotated[str, Field(min_length=1, max_length=100, pattern=NO_NUL)] | None = Field(
        None, description="With the audience `group`: its code"
    )


class Exclusion(Answer):
    """Learners of the audience who would be left out."""

    reason: str
    learners: int


class PlanAnswer(Answer):
    """What a reset would do now, and the plan to confirm."""

    plan: str = Field(description="The signed plan, to be sent with the request of the reset")
    expires_at: datetime = Field(description="Until when it can be confirmed")
    confirm: str = Field(description="What has to be typed to confirm: the course code")
    course: str
    audience: Audience
    group: str | None = Field(description="The group's code")
    reason: str
    due_in_days: int | None
    notify: bool
    start_at: datetime | None
    learners: int = Field(description="How many would be reset or looked at")
    removed: dict[str, int] = Field(
        description="Rows that would be deleted, by record kind",
        examples=[{"lesson_progress": 1180, "completion": 118}],
    )
    alerts: int = Field(description="Alerts that would be sent")
    about: bool = Field(description="Whether `removed` and `alerts` are estimates, as they are for large courses")
    excluded: list[Exclusion]
    sample: list[str] = Field(description="Names of a few of the learners", examples=[["Ada Abebe", "Ben Castro"]])


@router.post(
    "/courses/{code}/reset-plans",
    operation_id="planReset",
    status_code=201,
    response_model=PlanAnswer,
    responses=problems(
        "course-unknown",
        "user-unknown",
        "group-unknown",
        "forbidden",
        "not-assigned",
        "audience-invalid",
        "start-at-invalid",
        "body-too-large",
    ),
)
def plan_reset(code: CourseCode, body: PlanOfCourse, actor: Planner, session: Database) -> PlanAnswer:
    """Plan a reset of a course: says what it would do, and changes nothing.

    It needs the permission *Training: Manage courses*, and for the audience `users` *Platform management: Users*.
    """
    actor.must_have_one_of(Permission.COURSES, Permission.USERS)
    return _plan(session, actor, code, body, audience=body.audience, users=body.user_ids, group=body.group)


@router.post(
    "/users/{user_id}/courses/{code}/reset-plans",
    operation_id="planResetOfUser",
    status_code=201,
    response_model=PlanAnswer,
    responses=problems(
        "course-unknown", "user-unknown", "forbidden", "not-assigned", "start-at-invalid", "body-too-large"
    ),
)
def plan_reset_of_user(
    user_id: UserId, code: CourseCode, body: PlanOfUser, actor: Planner, session: Database
) -> PlanAnswer:
    """Plan a reset of a course for one user. It needs the permission *Platform management: Users*."""
    actor.must_have(Permission.USERS)
    user = user_of(session, actor.organization_id, user_id)
    return _plan(session, actor, code, body, audience=Audience.USERS, users=[user.id])


def _plan(
    session: Session,
    actor: Actor,
    code: str,
    body: PlanOfUser,
    *,
    audience: Audience,
    users: list[int] | None,
    group: str | None = None,
) -> PlanAnswer:
    course_of(session, actor.organization_id, code)
    options = Options(audience=audience, users=users, due_in_days=body.due_in_days, notify=body.notify)
    options |= Options(start_at=body.start_at, reason=body.reason.strip(), group=group)
    return _as_answer(preview(session, actor, code, about=True, **options), group)


def _as_answer(seen: Preview, group: str | None) -> PlanAnswer:
    return PlanAnswer(
        plan=seen.token,
        expires_at=seen.plan.expires_at,
        confirm=seen.plan.course_code,
        course=seen.plan.course_code,
        audience=seen.plan.audience,
        group=group,
        reason=seen.plan.reason,
        due_in_days=seen.plan.due_in_days,
        notify=seen.plan.notify,
        start_at=seen.plan.start_at,
        learners=seen.learners,
        removed=seen.removed,
        alerts=seen.alerts,
        about=seen.about,
        excluded=[Exclusion(reason=reason, learners=count) for reason, count in seen.excluded.items()],
        sample=seen.sample,
    )
