"""Bulk imports: users, courses, enrolments; all of a file or nothing."""

from tempfile import SpooledTemporaryFile
from typing import Annotated, Any, BinaryIO, cast

import anyio
from fastapi import APIRouter, Depends, Request, UploadFile
from pydantic import Field
from starlette.requests import ClientDisconnect

from models.access import Actor, Permission
from models.session import transaction
from models.tokens import Scope
from tasks.imports import IMPORTS, Form, Import, Imported
from web.access import program_with
from web.api.document import problems
from web.api.fields import Answer
from web.problems import EXPLAINED, Problem

IN_MEMORY = 1024 * 1024  # bytes; what is larger waits in a file
FORMS = {
    "text/csv": Form.CSV,
    "application/x-ndjson": Form.NDJSON,
    "application/ndjson": Form.NDJSON,
    "application/jsonl": Form.NDJSON,
}

router = APIRouter(prefix="/imports", tags=["imports"])

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
    return await _import(request, actor, IMPORTS["users"])


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
    return await _import(request, actor, IMPORTS["courses"])


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
    return await _import(request, actor, IMPORTS["enrolments"])


async def _import(request: Request, actor: Actor, run: Import) -> Imported:
    form = _form(request.headers.get("content-type", ""))
    with SpooledTemporaryFile(max_size=IN_MEMORY) as spooled:
        file = cast("BinaryIO", spooled)
        upload = UploadFile(file)  # writes in a thread once the file is on the disk
        try:
            async for block in request.stream():
                await upload.write(block)
        except ClientDisconnect:
            raise Problem(422, "request-invalid", "The file did not come whole. Nothing was imported.") from None
        file.seek(0)

        def work() -> Imported:
            with transaction() as session:
                return run(session, actor, file, form)

        return await anyio.to_thread.run_sync(work)


def _form(content_type: str) -> Form:
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [one.removeprefix("charset=").strip('"') for one in parameters if one.startswith("charset=")]
    if kind not in FORMS or any(one not in ("utf-8", "utf8", "us-ascii") for one in charsets):
        words = f"{EXPLAINED['media-type-unsupported']} Send text/csv or application/x-ndjson, in UTF-8."
        raise Problem(415, "media-type-unsupported", words)
    return FORMS[kind]
