"""Bulk imports: users, courses, enrolments; all of a file or nothing."""

from tempfile import TemporaryFile
from typing import IO, Annotated, Any, BinaryIO, cast

import anyio
from fastapi import APIRouter, Depends, Request
from pydantic import Field
from starlette.requests import ClientDisconnect

from models.access import Actor, Permission
from models.session import transaction
from models.tokens import Scope
from tasks.imports import IMPORTS, Form, Import, Imported
from web.access import program_of, program_with
from web.api.document import problems
from web.api.fields import Answer
from web.bodies.spool import folder
from web.problems import EXPLAINED, Problem

PIECE = 1024 * 1024  # bytes
RUN_AT_ONCE = 4  # each has a thread and a connection for minutes; what has come meanwhile waits on the disk
FORMS = {
    "text/csv": Form.CSV,
    "application/x-ndjson": Form.NDJSON,
    "application/ndjson": Form.NDJSON,
    "application/jsonl": Form.NDJSON,
}

router = APIRouter(prefix="/imports", tags=["imports"])

_threads = anyio.CapacityLimiter(RUN_AT_ONCE)

Importer = Annotated[Actor, Depends(program_with(Scope.PEOPLE_WRITE))]

PROBLEMS = problems("forbidden", "import-invalid", "media-type-unsupported", "body-too-large")


class CountAnswer(Answer):
    """What became of those in the file."""

    in_file: int
    new: int
    changed: int
    unchanged: int


class ImportAnswer(Answer):
    """What an import did."""

    lines: int
    counts: dict[str, CountAnswer] = Field(
        examples=[{"users": {"in_file": 3, "new": 1, "changed": 1, "unchanged": 1}}], description="By what they are"
    )


def _takes(csv: str, ndjson: str) -> dict[str, Any]:
    """The request's body, which is read as it comes and so is no parameter."""
    kinds = {"text/csv": csv, "application/x-ndjson": ndjson}
    content = {kind: {"schema": {"type": "string"}, "example": example} for kind, example in kinds.items()}
    return {"requestBody": {"required": True, "content": content}}


@router.post(
    "/users",
    operation_id="importUsers",
    response_model=ImportAnswer,
    responses=PROBLEMS,
    openapi_extra=_takes(
        "email,name,active,locale\nada@acme.example,Ada Abebe,true,en\n",
        '{"email": "ada@acme.example", "name": "Ada Abebe", "active": true}\n',
    ),
)
async def import_users(request: Request, actor: Importer) -> Imported:
    """Add users, and change those who are there: by their e-mail address, whose case does not count.

    Columns: `email`, `name`, and if wished `active`, `notifications_on`, `locale`, `time_zone`. What a line does not
    say stays as it is. Permissions are never changed. It needs *Platform management: Users*.
    """
    actor.must_have(Permission.USERS)
    return await _import(request, IMPORTS["users"])


@router.post(
    "/courses",
    operation_id="importCourses",
    response_model=ImportAnswer,
    responses=PROBLEMS,
    openapi_extra=_takes(
        "code,title,certificates_on,activity,kind,activity_title\n"
        "SAFETY-101,Working safely at height,true,intro,lesson,Introduction\n",
        '{"code": "SAFETY-101", "title": "Working safely at height", "activities": '
        '[{"reference": "intro", "kind": "lesson", "title": "Introduction"}]}\n',
    ),
)
async def import_courses(request: Request, actor: Importer) -> Imported:
    """Add courses with their activities, and change those that are there: by code and by reference.

    CSV: a line an activity, with the columns `code`, `title`, `certificates_on`, `activity`, `kind`, `activity_title`.
    NDJSON: a line a course, with a list `activities`. Nothing is deleted, and an activity's kind cannot change. A code
    is 1 to 64 letters, digits, dots, hyphens and underscores. It needs *Training: Manage courses*.
    """
    actor.must_have(Permission.COURSES)
    return await _import(request, IMPORTS["courses"])


@router.post(
    "/enrolments",
    operation_id="importEnrolments",
    response_model=ImportAnswer,
    responses=PROBLEMS,
    openapi_extra=_takes(
        "course,email,due_at\nSAFETY-101,ada@acme.example,2027-01-31T12:00:00Z\n",
        '{"course": "SAFETY-101", "email": "ada@acme.example", "assigned": true}\n',
    ),
)
async def import_enrolments(request: Request, actor: Importer) -> Imported:
    """Assign courses to users, or take assignments back with `assigned` false: by course code and address.

    Columns: `course`, `email`, and if wished `due_at`, `assigned`. Progress is not touched: who is assigned again goes
    on where they were. It needs *Training: Manage courses*.
    """
    actor.must_have(Permission.COURSES)
    return await _import(request, IMPORTS["enrolments"])


async def _import(request: Request, run: Import) -> Imported:
    """The file comes whole before a connection is taken: a slow line holds none."""
    form = _form(request.headers.get("content-type", ""))
    with TemporaryFile(dir=folder()) as file:
        try:
            await _spool(request, file)
        except ClientDisconnect:
            raise Problem(422, "request-invalid", "The file did not come whole. Nothing was imported.") from None

        def work() -> Imported:
            file.seek(0)
            now = program_of(request, Scope.PEOPLE_WRITE)  # it may have been long until the file was here
            with transaction() as session:
                return run(session, now, cast("BinaryIO", file), form)

        return await anyio.to_thread.run_sync(work, limiter=_threads)


async def _spool(request: Request, file: IO[bytes]) -> None:
    gathered = bytearray()
    async for block in request.stream():
        gathered += block
        if len(gathered) >= PIECE:  # a thread for each block of a few kilobytes would cost more than the writing
            await anyio.to_thread.run_sync(file.write, bytes(gathered))
            gathered.clear()
    await anyio.to_thread.run_sync(file.write, bytes(gathered))
    await anyio.to_thread.run_sync(file.flush)


def _form(content_type: str) -> Form:
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [one.removeprefix("charset=").strip('"') for one in parameters if one.startswith("charset=")]
    if kind not in FORMS or any(one not in ("utf-8", "utf8", "us-ascii") for one in charsets):
        words = f"{EXPLAINED['media-type-unsupported']} Send text/csv or application/x-ndjson, in UTF-8."
        raise Problem(415, "media-type-unsupported", words)
    return FORMS[kind]
