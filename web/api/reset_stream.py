"""A reset as a stream of server-sent events, from now to its end."""

import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Annotated
from uuid import UUID

import anyio
from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Send
from starlette.types import Scope as Connection

from config.languages import translatable
from models.access import Actor, Permission
from models.refusals.base import Refused
from models.session import DBAPIError, transaction
from models.tokens import Scope
from tasks.reset.lookup import reset_seen_by
from web.access import program_with
from web.api.parameters import ResetId
from web.api.responses import Responses, problems
from web.api.schemas.resets import ResetDetails, details_of, version_of
from web.places import Places
from web.problems import Problem, answer
from web.shutdown import shutdown

LOOK_SECONDS = 1.0  # between two queries
HEARTBEAT_SECONDS = 15.0  # proxies cut a silent connection after a minute, and only writing shows that a client left
LONGEST_SECONDS = 600.0  # then the client reconnects by itself, and its token is checked again
STREAMS = Places(translatable("streams of events"), total=200, organization=60, person=20)
RECONNECT_MILLISECONDS = 2000

EVENT = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "event": {"type": "string", "enum": ["progress", "done"]},
        "id": {"type": "string", "description": "The version of the reset, for `Last-Event-ID`"},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/ResetDetails"},
        },
        "retry": {"type": "integer", "minimum": 0, "description": "Milliseconds to wait before reconnecting"},
    },
}
STREAM: Responses = {
    200: {
        "description": "A `progress` event at each change, and `done` at the end. The data is the reset as `getReset` "
        "returns it. Comments keep the connection open.",
        "content": {"text/event-stream": {"itemSchema": EVENT}},
    },
    204: {"description": "The reset is done and you have seen it: do not reconnect"},
}

router = APIRouter(tags=["resets"])

Watcher = Annotated[Actor, Depends(program_with(Scope.RESETS_READ, Permission.COURSES, Permission.USERS))]


class _EventStream(StreamingResponse):
    """A stream that occupies a place while it is sent."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[str], status_code: int = 200, *, actor: Actor) -> None:
        # X-Accel-Buffering: nginx would otherwise hold events back.
        super().__init__(events, status_code, headers={"X-Accel-Buffering": "no"})
        self._actor = actor

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        with ExitStack() as place:
            try:
                place.enter_context(STREAMS.taken(self._actor))
            except Problem as full:
                words = f"{full.detail} Or poll the reset every few seconds instead."
                refusal = answer(Request(scope), full.status_code, full.code, words, **full.more)
                await refusal(scope, receive, send)
                return
            await super().__call__(scope, receive, send)


@router.get(
    "/resets/{reset_id:uuid}/events",
    operation_id="watchReset",
    response_class=_EventStream,
    responses=STREAM | problems("reset-unknown", "forbidden"),
)
async def watch_reset(
    reset_id: ResetId,
    actor: Watcher,
    last_event_id: Annotated[
        str,
        Header(
            alias="Last-Event-ID",
            max_length=200,
            description="The id of the last event received; browsers send it by themselves",
        ),
    ] = "",
) -> Response:
    """Watch a reset live. The stream ends when the reset is done; after a reconnect, nothing is sent twice."""
    first = await anyio.to_thread.run_sync(_look, actor, reset_id)
    if first.done and last_event_id == version_of(first):
        return Response(status_code=204)
    return _EventStream(_events(actor, first, last_event_id), actor=actor)


async def _events(actor: Actor, first: ResetDetails, seen: str) -> AsyncIterator[str]:
    """Yields the stream's text. Holds no database connection between two queries."""
    began = sent = time.monotonic()
    reset: ResetDetails = first
    yield f"retry: {RECONNECT_MILLISECONDS}\n\n"
    while not shutdown.begun:
        version = version_of(reset)
        if version != seen or reset.done:
            seen, sent = version, time.monotonic()
            yield _event("done" if reset.done else "progress", version, reset)
        elif time.monotonic() - sent > HEARTBEAT_SECONDS:
            sent = time.monotonic()
            yield ": still here\n\n"
        if reset.done or time.monotonic() - began > LONGEST_SECONDS:
            return
        await anyio.sleep(LOOK_SECONDS)
        try:
            reset = await anyio.to_thread.run_sync(_look, actor, first.id)
        except (DBAPIError, Refused):  # the client reconnects, and gets the problem as an answer
            return


def _look(actor: Actor, reset_id: UUID) -> ResetDetails:
    with transaction() as session:
        return details_of(session, reset_seen_by(session, actor, reset_id))


def _event(name: str, version: str, reset: ResetDetails) -> str:
    return f"event: {name}\nid: {version}\ndata: {reset.model_dump_json()}\n\n"
