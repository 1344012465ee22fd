"""Receive an import's file and run the import."""

from collections.abc import Callable, Mapping
from tempfile import TemporaryFile
from typing import IO, BinaryIO, TypeVar, cast

import anyio
from fastapi import Request
from starlette.requests import ClientDisconnect

from models.access import Actor
from models.people import weight_of
from models.session import Session, transaction
from models.tokens import Scope
from tasks.imports import Form
from web.access import program_of
from web.api.import_turns import Turns
from web.bodies.spool import folder
from web.problems import Problem

WRITE_BYTES = 1024 * 1024
RUN_AT_ONCE = 4  # each holds a thread and a connection for minutes; further files wait on the disk
NDJSON_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
TABLES = {"text/csv": Form.CSV, **dict.fromkeys(NDJSON_TYPES, Form.NDJSON)}
STATEMENTS = {"application/json": Form.NDJSON, **dict.fromkeys(NDJSON_TYPES, Form.NDJSON)}  # also as one array
ARCHIVES = {"application/zip": Form.CSV, "application/x-zip-compressed": Form.CSV}
CHARSETS = ("utf-8", "utf8", "us-ascii")

T = TypeVar("T")

_threads = anyio.CapacityLimiter(RUN_AT_ONCE)
_turns = Turns(RUN_AT_ONCE)


async def run_import(
    request: Request,
    run: Callable[[Session, Actor, BinaryIO, Form], T],
    accepted: Mapping[str, Form] = TABLES,
    scope: Scope = Scope.PEOPLE_WRITE,
) -> T:
    """Receive the whole file, then run the import: a slow client holds no connection.

    `accepted` has the form of the file for each media type. Raises `Problem`, `TokenInvalid`,
    `ScopeMissing`, and what the import raises.
    """
    form = _form(request.headers.get("content-type", ""), accepted)
    with TemporaryFile(dir=folder()) as file:
        try:
            await _receive(request, file)
        except ClientDisconnect:
            words = "The file did not arrive in full. Nothing was changed. Send it again."
            raise Problem("request-invalid", words) from None

        organization, weight = await anyio.to_thread.run_sync(_whose, request, scope)

        def work() -> T:
            file.seek(0)
            actor = program_of(request, scope)  # again: the file may have taken long to arrive
            with transaction() as session:
                return run(session, actor, cast("BinaryIO", file), form)

        async with _turns.taken(organization, weight):
            return await anyio.to_thread.run_sync(work, limiter=_threads)


def _whose(request: Request, scope: Scope) -> tuple[int, int]:
    """Returns the organization, and its weight."""
    actor = program_of(request, scope)
    with transaction() as session:
        return actor.organization_id, weight_of(session, actor.organization_id)


async def _receive(request: Request, file: IO[bytes]) -> None:
    gathered = bytearray()
    async for block in request.stream():
        gathered += block
        if len(gathered) >= WRITE_BYTES:  # a thread for each block of a few kilobytes costs more than the writing
            await anyio.to_thread.run_sync(file.write, bytes(gathered))
            gathered.clear()
    await anyio.to_thread.run_sync(file.write, bytes(gathered))
    await anyio.to_thread.run_sync(file.flush)


def _form(content_type: str, accepted: Mapping[str, Form]) -> Form:
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [one.removeprefix("charset=").strip('"') for one in parameters if one.startswith("charset=")]
    if media_type not in accepted or any(one not in CHARSETS for one in charsets):
        usual = [one for one in ("text/csv", "application/x-ndjson", "application/json") if one in accepted]
        send = f"{' or '.join(usual)}, in UTF-8" if usual else "application/zip"
        words = f"This address does not accept this media type. Send {send}."
        raise Problem("media-type-unsupported", words)
    return accepted[media_type]
