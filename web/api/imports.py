"""Import users, courses, enrolments, groups and history from files: the whole file or nothing."""

from functools import partial
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Depends, Query, Request

from models.access import Actor, Permission
from models.session import Session
from models.tokens import Scope
from tasks.imports import FULL_IMPORTS, IMPORTS, Each, Form, Full, Import, Imported, import_oneroster, import_xapi
from web.access import program_with
from web.api.import_files import ARCHIVES, STATEMENTS, run_import
from web.api.responses import problems
from web.api.schemas.imports import ImportResult
from web.problems import Problem

router = APIRouter(prefix="/imports", tags=["imports"])

FOR_USERS_IMPORTERS = Depends(program_with(Scope.PEOPLE_WRITE, Permission.USERS))
FOR_COURSES_IMPORTERS = Depends(program_with(Scope.PEOPLE_WRITE, Permission.COURSES))

COMMON = ("forbidden", "import-invalid", "media-type-unsupported", "body-too-large")
PROBLEMS = problems(*COMMON, "import-crossed")
FULL_PROBLEMS = problems(*COMMON, "import-crossed", "import-removes-too-much")

WholeOrNot = Annotated[
    bool,
    Query(
        description="Whether the file is complete, and what it does not name is removed. Refused as "
        "`import-removes-too-much` if that is more than a tenth of what there is."
    ),
]
Mapped = Annotated[
    list[str] | None,
    Query(
        alias="map",
        description="The course code of an object's id, as `ID=CODE`; may be repeated. Without it, the id is the "
        "course's external id.",
        examples=["https://lms.example/safety=SAFETY-101"],
    ),
]


STATEMENT = (
    '{"actor": {"mbox": "mailto:ada@acme.example"}, "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"}, '
    '"object": {"id": "https://lms.example/safety"}, "result": {"score": {"scaled": 0.92}}, '
    '"timestamp": "2026-02-03T14:30:00Z"}\n'
)


def _accepts(csv: str, ndjson: str) -> dict[str, Any]:
    """Returns the documentation of the body, which is a stream and so no parameter."""
    return _accepts_each({"text/csv": csv, "application/x-ndjson": ndjson})


def _accepts_each(examples: dict[str, str]) -> dict[str, Any]:
    content = {kind: {"schema": {"type": "string"}, "example": example} for kind, example in examples.items()}
    return {"requestBody": {"required": True, "content": content}}


def _run(what: str, *, full: bool) -> Import:
    return partial(FULL_IMPORTS[what], full=Full()) if full else IMPORTS[what]


@router.post(
    "/users",
    operation_id="importUsers",
    response_model=ImportResult,
    dependencies=[FOR_USERS_IMPORTERS],
    responses=FULL_PROBLEMS,
    openapi_extra=_accepts(
        "external_id,email,name,active,locale\np-4711,ada@acme.example,Ada Abebe,true,en\n",
        '{"external_id": "p-4711", "email": "ada@acme.example", "name": "Ada Abebe", "active": true}\n',
    ),
)
async def import_users(request: Request, full: WholeOrNot = False) -> Imported:
    """Add users and change existing ones, matched by external id, or else by e-mail address, ignoring case.

    Columns: `external_id` or `email`, `name`; optional: `active`, `notifications_on`, `locale`, `time_zone`. Empty
    cells and missing columns change nothing. Permissions are not imported. With `full`, users without permissions whom
    the file does not name are deactivated and unassigned. Requires the permission *Platform management: Users*.
    """
    return await run_import(request, _run("users", full=full))


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
    """Add courses with their activities and change existing ones, matched by external id or code, and by reference.

    CSV: a line for each activity, with the columns `external_id`, `code`, `title`, `certificates_on`, `activity`,
    `kind`, `activity_title`. NDJSON: a line for each course, with a list `activities`. Nothing is deleted, and an
    activity's kind cannot change. A code is 1 to 64 letters, digits, dots, hyphens and underscores. Requires the
    permission *Training: Manage courses*.
    """
    return await run_import(request, IMPORTS["courses"])


@router.post(
    "/enrolments",
    operation_id="importEnrolments",
    response_model=ImportResult,
    dependencies=[FOR_COURSES_IMPORTERS],
    responses=FULL_PROBLEMS,
    openapi_extra=_accepts(
        "course,email,due_at,completed_at,score\n"
        "SAFETY-101,ada@acme.example,2027-01-31T12:00:00Z,2026-02-03T14:30:00Z,92.5\n",
        '{"course_external_id": "c-12", "user_external_id": "p-4711", "assigned": true, "progress": 40}\n',
    ),
)
async def import_enrolments(request: Request, full: WholeOrNot = False) -> Imported:
    """Assign courses to users, or unassign them with `assigned` false, and bring their history.

    Columns: `course` or `course_external_id`, `email` or `user_external_id`; optional: `due_at`, `assigned`;
    `progress` in percent, `progress_at`, `completed_at`, `score`. Progress never goes down, a completion is replaced
    only by a newer one, and what is dated before the learner's last reset is ignored and counted; after a reset,
    progress counts only with a `progress_at`. No certificates, alerts or webhooks come of it. With `full`, enrolments
    that the file does not name are unassigned. Requires the permission *Training: Manage courses*.
    """
    return await run_import(request, _run("enrolments", full=full))


@router.post(
    "/groups",
    operation_id="importGroups",
    response_model=ImportResult,
    dependencies=[FOR_USERS_IMPORTERS],
    responses=FULL_PROBLEMS,
    openapi_extra=_accepts(
        'group,name,external_id,email,member\nbern-2,"Plant 2, Bern",o-7,ada@acme.example,true\n',
        '{"group": "bern-2", "name": "Plant 2, Bern", "user_external_id": "p-4711"}\n',
    ),
)
async def import_groups(request: Request, full: WholeOrNot = False) -> Imported:
    """Add and rename groups, and have users join or, with `member` false, leave them.

    Columns: `group`, its code; optional: `name`, `external_id`, `email` or `user_external_id`, `member`. Groups are
    matched by external id, or else by code. With `full`, memberships that the file does not name end. Requires the
    permission *Platform management: Users*.
    """
    return await run_import(request, _run("groups", full=full))


@router.post(
    "/oneroster",
    operation_id="importOneRoster",
    response_model=ImportResult,
    dependencies=[FOR_USERS_IMPORTERS, FOR_COURSES_IMPORTERS],
    responses=FULL_PROBLEMS,
    openapi_extra=_accepts_each({"application/zip": "(the archive, as bytes)"}),
)
async def import_one_roster(
    request: Request,
    full: WholeOrNot = False,
    each: Annotated[Each, Query(description="What becomes a course: each class, or each course")] = Each.CLASS,
) -> Imported:
    """Import users, courses, enrolments and results from OneRoster 1.2 in CSV, a zip with a `manifest.csv`.

    `sourcedId` is the external id. Errors name the file and the line. With `full`, what files that the manifest calls
    `bulk` do not name is removed. Requires the permissions *Platform management: Users* and *Training: Manage courses*.
    """

    def run(session: Session, actor: Actor, file: BinaryIO, _: Form) -> Imported:
        return import_oneroster(session, actor, file, Full() if full else None, each)

    return await run_import(request, run, ARCHIVES)


@router.post(
    "/xapi",
    operation_id="importStatements",
    response_model=ImportResult,
    dependencies=[FOR_COURSES_IMPORTERS],
    responses=PROBLEMS,
    openapi_extra=_accepts_each(dict.fromkeys(("application/x-ndjson", "application/json"), STATEMENT)),
)
async def import_statements(request: Request, mapped: Mapped = None) -> Imported:
    """Bring the history of xAPI statements, one a line or as a JSON array.

    Actors are users by their `mbox`, or by their `account.name`, as external id or address. The verbs `completed`,
    `passed`, `progressed` and `initialized` count, with `result.score.scaled` and the progress in an extension of
    `result`; others are ignored and counted, and so are objects that are no course. Rules of dates and resets are those
    of enrolments. Requires the permission *Training: Manage courses*.
    """
    courses = {}
    for one in mapped or []:
        activity, equals, code = one.rpartition("=")
        if not (activity and equals and code) or "\x00" in one:
            words = "`map` must be the id of an object and a course code, as ID=CODE. Nothing was changed."
            raise Problem("request-invalid", words, errors=[{"at": "query.map", "detail": "must be ID=CODE"}])
        courses[activity] = code

    def run(session: Session, actor: Actor, file: BinaryIO, _: Form) -> Imported:
        return import_xapi(session, actor, file, courses)

    return await run_import(request, run, STATEMENTS)
