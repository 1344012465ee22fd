"""The courses assigned to the signed-in person."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from config.languages import translatable
from models.directory import training_of
from models.training import EnrolmentState
from web.access import Person
from web.database import Database
from web.templating import page

router = APIRouter(prefix="/my/training")


@router.get("")
def my_training(request: Request, person: Person, session: Database) -> Response:
    """List the courses, those to do first, and of these the overdue ones."""
    courses = sorted(training_of(session, person.user), key=lambda course: not course.is_overdue)
    groups = {
        translatable("To do"): [course for course in courses if course.state != EnrolmentState.COMPLETED],
        translatable("Completed"): [course for course in courses if course.state == EnrolmentState.COMPLETED],
    }
    return page(request, "my_training.html", groups=groups)
