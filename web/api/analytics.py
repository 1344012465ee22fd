"""Course completion: in pages as JSON, or as one CSV file."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query

from models.access import Actor, Permission
from models.analytics import completion_by_course, completion_by_user
from models.course_days import completion_over_time
from models.directory import course_of
from models.tokens import Scope
from web.access import program_with
from web.api.paging import Page, page_of
from web.api.parameters import CourseCode
from web.api.responses import PAGED, TEXT, Responses, problems
from web.api.schemas.analytics import (
    CourseDayFigures,
    CourseDayFiguresList,
    CourseFigures,
    CourseFiguresList,
    UserFigures,
    UserFiguresList,
)
from web.csv_lines import csv_answer, in_batches
from web.database import Database

router = APIRouter(prefix="/analytics/courses", tags=["analytics"])

Analyst = Annotated[Actor, Depends(program_with(Scope.ANALYTICS_READ, Permission.COURSES))]

PAGED_OR_CSV: Responses = {200: PAGED[200] | {"content": {"text/csv": TEXT}}}


def _wants_csv(
    format: Annotated[  # noqa: A002
        Literal["json", "csv"] | None, Query(description="Overrides the header `Accept`")
    ] = None,
    accept: Annotated[str, Header(max_length=1000, include_in_schema=False)] = "",
) -> bool:
    return format == "csv" or (format is None and "text/csv" in accept)


WantsCsv = Annotated[bool, Depends(_wants_csv)]


@router.get(
    "",
    operation_id="completionByCourse",
    response_model=CourseFiguresList,
    responses=PAGED_OR_CSV | problems("forbidden"),
)
def by_course(
    actor: Analyst, session: Database, page: Annotated[Page, page_of(str, items=100)], wants_csv: WantsCsv
) -> Any:
    """List the organization's courses with their completion rates."""
    if wants_csv:
        found = completion_by_course(session, actor.organization_id)
        rows = [
            (one.code, one.title, one.assigned, one.in_progress, one.completed, round(one.rate, 4), one.external_id)
            for one in found
        ]
        return csv_answer("course completion.csv", tuple(CourseFigures.model_fields), [rows])
    after = page.after[0] if page.after else None
    found = completion_by_course(session, actor.organization_id, after=after, limit=page.limit)
    courses = page.cut(found, lambda one: (one.code,))
    return CourseFiguresList(items=[CourseFigures.model_validate(one) for one in courses])


@router.get(
    "/{code}/users",
    operation_id="completionByUser",
    response_model=UserFiguresList,
    responses=PAGED_OR_CSV | problems("course-unknown", "forbidden"),
)
def by_user(
    code: CourseCode,
    actor: Analyst,
    session: Database,
    page: Annotated[Page, page_of(str, int, items=100)],
    wants_csv: WantsCsv,
) -> Any:
    """List the users a course is assigned to, with their progress."""
    course = course_of(session, actor.organization_id, code)
    if wants_csv:
        names = tuple(UserFigures.model_fields)
        batches = in_batches(
            lambda own, after, limit: completion_by_user(own, course, after=after, limit=limit),
            lambda user: (user.name, user.user_id),
        )
        rows = ([tuple(getattr(user, name) for name in names) for user in batch] for batch in batches)
        return csv_answer(f"{course.code} completion by users.csv", names, rows)
    found = list(completion_by_user(session, course, after=page.after, limit=page.limit))
    users = page.cut(found, lambda user: (user.name, user.user_id))
    return UserFiguresList(items=[UserFigures.model_validate(user) for user in users])


@router.get(
    "/{code}/completion-over-time",
    operation_id="completionOverTime",
    response_model=CourseDayFiguresList,
    responses=problems("course-unknown", "forbidden"),
)
def over_time(
    code: CourseCode,
    actor: Analyst,
    session: Database,
    since: Annotated[date | None, Query(description="The first day", examples=["2027-01-01"])] = None,
) -> Any:
    """List the daily counts of a course. Days with fewer than 10 learners are left out."""
    course = course_of(session, actor.organization_id, code)
    days = completion_over_time(session, course, since)
    return CourseDayFiguresList(items=[CourseDayFigures.model_validate(one) for one in days])
