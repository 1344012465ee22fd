"""Import users, courses and enrolments from files: the whole file or nothing."""

from typing import Any

from fastapi import APIRouter, Depends, Request

from models.access import Permission
from models.tokens import Scope
from tasks.imports import IMPORTS, Imported
from web.access import program_with
from web.api.import_files import run_import
from web.api.responses import problems
from web.api.schemas.imports import ImportResult

router = APIRouter(prefix="/imports", tags=["imports"])

FOR_USERS_IMPORTERS = Depends(program_with(Scope.PEOPLE_WRITE, Permission.USERS))
FOR_COURSES_IMPORTERS = Depends(program_with(Scope.PEOPLE_WRITE, Permission.COURSES))

PROBLEMS = problems("forbidden", "import-invalid", "media-type-unsupported", "body-too-large")


def _accepts(csv: str, ndjson: str) -> dict[str, Any]:
    """Returns the documentation of the body, which is a stream and so no parameter."""
    examples = {"text/csv": csv, "application/x-ndjson": ndjson}
    content = {kind: {"schema": {"type": "string"}, "example": example} for kind, example in examples.items()}
    return {"requestBody": {"required": True, "content": content}}


@router.post(
    "/users",
    operation_id="importUsers",
    response_model=ImportResult,
    dependencies=[FOR_USERS_IMPORTERS],
    responses=PROBLEMS,
    openapi_extra=_accepts(
        "email,name,active,locale\nada@acme.example,Ada Abebe,true,en\n",
        '{"email": "ada@acme.example", "name": "Ada Abebe", "active": true}\n',
    ),
)
async def import_users(request: Request) -> Imported:
    """Add users and change existing ones, matched by e-mail address, ignoring case.

    Columns: `email`, `name`; optional: `active`, `notifications_on`, `locale`, `time_zone`. Empty cells and missing
    columns change nothing. Permissions are not imported. Requires the permission *Platform management: Users*.
    """
    return await run_import(request, IMPORTS["users"])


@router.post(
    "/courses",
    operation_id="importCourses",
    response_model=ImportResult,
    dependencies=[FOR_COURSES_IMPORTERS],
    responses=PROBLEMS,
    openapi_extra=_accepts(
        "code,title,certificates_on,activity,kind,activity_title\n"
        "SAFETY-101,Working safely at height,true,intro,lesson,Introduction\n",
        '{"code": "SAFETY-101", "title": "Working safely at height", "activities": '
        '[{"reference": "intro", "kind": "lesson", "title": "Introduction"}]}\n',
    ),
)
async def import_courses(request: Request) -> Imported:
    """Add courses with their activities and change existing ones, matched by code and by reference.

    CSV: a line for each activity, with the columns `code`, `title`, `certificates_on`, `activity`, `kind`,
    `activity_title`. NDJSON: a line for each course, with a list `activities`. Nothing is deleted, and an activity's
    kind cannot change. A code is 1 to 64 letters, digits, dots, hyphens and underscores. Requires the permission
    *Training: Manage courses*.
    """
    return await run_import(request, IMPORTS["courses"])


@router.post(
    "/enrolments",
    operation_id="importEnrolments",
    response_model=ImportResult,
    dependencies=[FOR_COURSES_IMPORTERS],
    responses=PROBLEMS,
    openapi_extra=_accepts(
        "course,email,due_at\nSAFETY-101,ada@acme.example,2027-01-31T12:00:00Z\n",
        '{"course": "SAFETY-101", "email": "ada@acme.example", "assigned": true}\n',
    ),
)
async def import_enrolments(request: Request) -> Imported:
    """Assign courses to users, or unassign them with `assigned` false, by course code and e-mail address.

    Columns: `course`, `email`; optional: `due_at`, `assigned`. Progress is not touched: users assigned again continue
    where they stopped. Requires the permission *Training: Manage courses*.
    """
    return await run_import(request, IMPORTS["enrolments"])
