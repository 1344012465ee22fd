"""Reset plans."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from models.audience_lists import AudienceList
from models.resets import Audience
from tasks.reset.impact import Preview
from tasks.reset.plan import LONGEST_DUE_IN_DAYS, LONGEST_SKIP_COMPLETED_DAYS, MOST_NAMED_USERS, together
from tasks.rules.ahead import Ahead
from web.api.schemas.base import NO_NUL, Answer, Body, Code, Course, Flag, Id, Moment, UserName, example

Reason = Annotated[
    str, Field(max_length=2000, pattern=NO_NUL, description="Kept in the audit; required in the plan or in the request")
]
DueInDays = Annotated[int, Field(strict=True, ge=1, le=LONGEST_DUE_IN_DAYS)]
SkipCompletedDays = Annotated[
    int | None,
    Field(
        strict=True,
        ge=1,
        le=LONGEST_SKIP_COMPLETED_DAYS,
        description="Leave out learners who completed the course within so many days before the plan",
    ),
]
Removed = Annotated[dict[str, int], Field(examples=[{"lesson_progress": 1180, "completion": 118}])]


class UserResetPlanRequest(Body):
    """The options of a reset for one user."""

    model_config = example({"reason": "incident 7731", "due_in_days": 30})

    reason: Reason = ""
    due_in_days: DueInDays | None = Field(
        None, description="Days from the reset to the new due date; without it there is no due date"
    )
    notify: Flag = Field(True, description="Whether to alert learners that the course is assigned again")
    start_at: Moment | None = Field(None, description="The earliest start, within the next 365 days")


class CourseResetPlanRequest(UserResetPlanRequest):
    """The audience and the options of a reset."""

    model_config = example({"audience": "assigned", "reason": "yearly recertification", "due_in_days": 30})

    audience: Audience = Field(
        Audience.ASSIGNED,
        description="Everyone assigned, those who completed the course, named users, a group, or a list",
    )
    user_ids: list[Id] | None = Field(
        None, min_length=1, max_length=MOST_NAMED_USERS, description="With the audience `users`"
    )
    users: list[UserName] | None = Field(
        None,
        min_length=1,
        max_length=MOST_NAMED_USERS,
        description="In place of or beside `user_ids`: addresses, or `external:` and external ids",
    )
    group: Code | None = Field(None, description="The group's code; required with the audience `group`")
    list_id: UUID | None = Field(None, description="`audience_list.id` of an earlier plan; with the audience `list`")
    skip_completed_days: SkipCompletedDays = None

    @property
    def named_users(self) -> list[str | int] | None:
        """The named users together."""
        return together(self.user_ids, self.users)


class Exclusion(Answer):
    """Learners of the audience whom the reset would leave out."""

    reason: str
    learners: int = Field(description="How many")


class AudienceListDetails(Answer):
    """What a file with a list of learners held."""

    id: UUID = Field(description="To plan with it again, and to get the lines that name no learner")
    lines: int
    learners: int = Field(description="Lines that name a learner of the course, each once")
    unknown: int = Field(description="Lines that name no user")
    unassigned: int = Field(description="Lines that name a user to whom the course is not assigned")
    doubled: int = Field(description="Lines that name the same user as an earlier line")


class AheadForCourse(Answer):
    """A reset of the course that is planned, queued or running, or a rule that will start one."""

    kind: Literal["reset", "rule"]
    id: UUID
    state: str = Field(description="In words: planned, queued, paused, running; of a rule, active or waiting")
    at: datetime | None = Field(description="When it starts, or is due next; null if it has started, or none is known")
    words: str = Field(description="The reset's reason; what the rule does")
    learners: int | None = Field(description="Of a reset that has begun")


class ResetPlan(Answer):
    """What a reset would do now, and the plan to confirm."""

    model_config = example(
        {
            "plan": "eyJpZCI6IjAxYTIwZDA5…",
            "expires_at": "2027-01-31T12:15:00Z",
            "confirm": "SAFETY-101",
            "course": "SAFETY-101",
            "audience": "completed",
            "group": None,
            "audience_list": None,
            "skip_completed_days": 30,
            "reason": "incident 7731",
            "due_in_days": 30,
            "notify": True,
            "start_at": None,
            "learners": 90,
            "removed": {"lesson_progress": 360, "completion": 90, "certificate": 90},
            "alerts": 81,
            "about": False,
            "excluded": [{"reason": "completed within 30 days before the preview", "learners": 3}],
            "sample": ["Ada Abebe", "Ben Castro"],
            "ahead": [
                {
                    "kind": "rule",
                    "id": "01a20d09-79f6-7b0b-b11a-f6143785020d",
                    "state": "active",
                    "at": "2027-03-01T05:00:00Z",
                    "words": "yearly recertification",
                    "learners": None,
                }
            ],
        }
    )

    plan: str = Field(description="The signed plan, to send with the reset request")
    expires_at: datetime = Field(description="The plan can be confirmed until then")
    confirm: str = Field(description="What to send as confirmation: the course code")
    course: Course
    audience: Audience
    group: str | None = Field(description="The group's code")
    audience_list: AudienceListDetails | None = Field(description="With the audience `list`")
    skip_completed_days: int | None = Field(description="Learners who completed it within so many days are left out")
    reason: str
    due_in_days: int | None = Field(description="Days from the reset to the new due date; no due date if null")
    notify: bool = Field(description="Whether learners will be alerted")
    start_at: datetime | None = Field(description="The earliest start; at once if null")
    learners: int = Field(description="Learners in the audience, including those with nothing to remove")
    removed: Removed = Field(description="Rows to delete, by record kind")
    alerts: int = Field(description="Alerts to send")
    about: bool = Field(description="Whether `removed` and `alerts` are estimates, as for large courses")
    excluded: list[Exclusion] = Field(description="Learners left out, by reason")
    sample: list[str] = Field(description="The names of a few of the learners", examples=[["Ada Abebe", "Ben Castro"]])
    ahead: list[AheadForCourse] = Field(description="What is running, queued or planned for the course already")


def plan_of(
    preview: Preview, group: str | None, made: AudienceList | None = None, ahead: Sequence[Ahead] = ()
) -> ResetPlan:
    """Returns the preview as an answer, with what is ahead for its course."""
    plan = preview.plan
    return ResetPlan(
        plan=preview.token,
        expires_at=plan.expires_at,
        confirm=plan.course_code,
        course=plan.course_code,
        audience=plan.audience,
        group=group,
        audience_list=AudienceListDetails.model_validate(made) if made is not None else None,
        skip_completed_days=plan.skip_completed_days,
        reason=plan.reason,
        due_in_days=plan.due_in_days,
        notify=plan.notify,
        start_at=plan.start_at,
        learners=preview.learners,
        removed=preview.removed,
        alerts=preview.alerts,
        about=preview.about,
        excluded=[Exclusion(reason=reason, learners=count) for reason, count in preview.excluded.items()],
        sample=preview.sample,
        ahead=[AheadForCourse.model_validate(one) for one in ahead],
    )
