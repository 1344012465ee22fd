"""Analytics, *Course completion by users*: a page at a time as JSON, or whole as CSV."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import Field

from models.access import Actor, Permission
from models.analytics import completion_by_course, completion_by_user
from models.directory import course_of
from models.tokens import Scope
from models.training import EnrolmentState
from web.access import program_with
from web.api.document import problems
from web.api.fields import LISTED, After, Answer, CourseCode, Limit
from web.api.paging import Page
from web.csv_lines import csv_answer, in_batches
from web.database import Database

router = APIRouter(prefix="/analytics/courses", tags=["analytics"])

Analyst = Annotated[Actor, Depends(program_with(Scope.ANALYTICS_READ))]
Form = Annotated[Literal["json", "csv"] | None, Query(description="Instead of the header `Accept`")]
Accept = Annotated[str, Header(max_length=1000, include_in_schema=False)]

LISTED_OR_CSV: dict[int | str, dict[str, Any]] = {
    200: LISTED[200] | {"content": {"text/csv": {"schema": {"type": "string"}}}}
}


class CourseFigures(Answer):
    """How many a course is assigned to, and how far they are."""

    course: str = Field(validation_alias="code", description="The course code", examples=["SAFETY-101"])
    title: str
    assigned: int
    in_progress: int
    completed: int
    rate: float = Field(description="Completed of assigned, 0 to 1")


class CoursesFigures(Answer):
    """Some courses, by code."""

    items: list[CourseFigures]


class UserFigures(Answer):
    """How far a user is in a course."""

    user_id: int
    name: str
    email: str
    state: EnrolmentState
    progress: int = Field(description="Percent")
    completed_at: datetime | None
    due_at: datetime | None


class UsersFigures(Answer):
    """Some users, by name."""

    items: list[UserFigures]


@router.get("", operation_id="completionByCourse", response_model=CoursesFigures, responses=LISTED_OR_CSV | problems())
def by_course(
    request: Request,
    answer: Response,
    actor: Analyst,
    session: Database,
    format: Form = None,  # noqa: A002
    accept: Accept = "",
    after: After = "",
    limit: Limit = 100,
) -> Any:
    """Every course of the organization."""
    actor.must_have(Permission.COURSES)
    if _is_csv(format, accept):
        found = completion_by_course(session, actor.organization_id)
        rows = [
            (one.code, one.title, one.assigned, one.in_progress, one.completed, round(one.rate, 4)) for one in found
        ]
        return csv_answer("course completion.csv", ("course", *list(CourseFigures.model_fields)[1:]), [rows])
    page = Page(request, answer, after, limit, (str,))
    found = completion_by_course(
        session, actor.organization_id, after=page.after[0] if page.after else None, limit=page.limit
    )
    return CoursesFigures(items=[CourseFigures.model_validate(one) for one in page.cut(found, lambda one: (one.code,))])


@router.get(
    "/{code}/users",
    operation_id="completionByUser",
    response_model=UsersFigures,
    responses=LISTED_OR_CSV | problems("course-unknown", "forbidden"),
)
def by_user(
    request: Request,
    answer: Response,
    code: CourseCode,
    actor: Analyst,
    session: Database,
    format: Form = None,  # noqa: A002
    accept: Accept = "",
    after: After = "",
    limit: Limit = 100,
) -> Any:
    """The users whom a course is assigned to."""
    actor.must_have(Permission.COURSES)
    course = course_of(session, actor.organization_id, code)
    names = tuple(UserFigures.model_fields)
    if _is_csv(format, accept):
        batches = in_batches(
            lambda own, after, limit: completion_by_user(own, course, after=after, limit=limit),
            lambda user: (user.name, user.user_id),
        )
        rows = ([tuple(getattr(user, name) for name in names) for user in batch] for batch in batches)
        return csv_answer(f"{course.code} completion by users.csv", names, rows)
    page = Page(request, answer, after, limit, (str, int))
    found = list(completion_by_user(session, course, after=page.after, limit=page.limit))
    users = page.cut(found, lambda user: (user.name, user.user_id))
    return UsersFigures(items=[UserFigures.model_validate(user) for user in users])


def _is_csv(format: str | None, accept: str) -> bool:  # noqa: A002
    return format == "csv" or (format is None and "text/csv" in accept)
