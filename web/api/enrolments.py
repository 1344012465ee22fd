"""A user's courses, with their registrations and activities."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from models.access import Actor, Permission
from models.directory import activities_of, assigned_course, course_of, training_of, user_of
from models.tokens import Scope
from tasks.people.enrolments import unassign
from tasks.people.learning import learner_seen_by
from web.access import program_with
from web.api.json_route import JsonRoute
from web.api.parameters import CourseCode, UserId
from web.api.responses import Responses, problems
from web.api.schemas.learning import CourseActivity, EnrolmentDetails, EnrolmentList, EnrolmentSummary
from web.database import Database

router = APIRouter(tags=["learning"], route_class=JsonRoute)

Reader = Annotated[Actor, Depends(program_with(Scope.LEARNING_WRITE))]
Assigner = Annotated[Actor, Depends(program_with(Scope.PEOPLE_WRITE, Permission.COURSES))]
ENDED: Responses = {204: {"description": "The course is unassigned"}}


@router.get(
    "/users/{user_id}/courses",
    operation_id="listEnrolments",
    response_model=EnrolmentList,
    responses=problems("user-unknown", "forbidden"),
)
def list_enrolments(user_id: UserId, actor: Reader, session: Database) -> EnrolmentList:
    """List the courses assigned to a user, with their registrations. Users see their own; admins, everyone's."""
    user = learner_seen_by(session, actor, user_id)
    return EnrolmentList(items=[EnrolmentSummary.model_validate(line) for line in training_of(session, user)])


@router.get(
    "/users/{user_id}/courses/{code}",
    operation_id="getEnrolment",
    response_model=EnrolmentDetails,
    responses=problems("user-unknown", "course-unknown", "course-not-assigned", "forbidden"),
)
def get_enrolment(user_id: UserId, code: CourseCode, actor: Reader, session: Database) -> EnrolmentDetails:
    """Get a course assigned to a user, with its registration and its activities."""
    user = learner_seen_by(session, actor, user_id)
    course = course_of(session, actor.organization_id, code)
    line = assigned_course(session, user, code)
    activities = [CourseActivity.model_validate(one) for one in activities_of(session, course.id)]
    return EnrolmentDetails.model_validate(asdict(line) | {"activities": activities})


@router.delete(
    "/users/{user_id}/courses/{code}",
    operation_id="endEnrolment",
    status_code=204,
    responses=ENDED | problems("user-unknown", "course-unknown", "course-not-assigned", "forbidden"),
)
def end_enrolment(user_id: UserId, code: CourseCode, actor: Assigner, session: Database) -> Response:
    """Unassign a course from a user. Its records stay, and a running reset skips the user."""
    unassign(session, actor, user_of(session, actor.organization_id, user_id), code)
    return Response(status_code=204)
