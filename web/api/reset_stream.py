"""A reset as a stream of server-sent events, from now to its end."""

import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Annotated, Any
from uuid import UUID

import anyio
from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Send
from starlette.types import Scope as Connection

from models.access import Actor, Permission
from models.refusals.base import Refused
from models.session import DBAPIError, transaction
from models.tokens import Scope
from tasks.reset.lookup import reset_seen_by
from web.access import program_with
from web.api import reset_answer
from web.api.document import problems
from web.api.reset_answer import ResetAnswer
from web.places import Places
from web.problems import Problem, answer
from web.shutdown import ending

LOOK_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0  # proxies cut what is silent for a minute, and a client that is gone is noticed by writing
LONGEST_SECONDS = 600.0  # then the client comes again by itself, and its token is looked at anew
STREAMS = Places("streams of events", total=200, organization=60, person=20)
AGAIN_MILLISECONDS = 2000

EVENT = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "event": {"type": "string", "enum": ["progress", "done"]},
        "id": {"type": "string", "description": "Of what the reset was then, for `Last-Event-ID`"},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/ResetAnswer"},
        },
        "retry": {"type": "integer", "minimum": 0},
    },
}
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`progress` with each change, and `done` as the last; the data are the reset as `getReset` "
        "answers it. Comments keep the line open.",
        "content": {"text/event-stream": {"itemSchema": EVENT}},
    },
    204: {"description": "It is done, and you know it: do not come again"},
}

router = APIRouter(tags=["resets"])

Watcher = Annotated[Actor, Depends(program_with(Scope.RESETS_READ))]


class _Events(StreamingResponse):
    """A stream that has its place while it is sent, however it ends."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[str], status_code: int = 200, *, actor: Actor) -> None:
        # X-Accel-Buffering: nginx would keep events back otherwise.
        super().__init__(events, status_code, headers={"X-Accel-Buffering": "no"})
        self._actor = actor

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        with ExitStack() as place:
            try:
                place.enter_context(STREAMS.taken(self._actor))
            except Problem as full:
                words = f"{full.detail} Or ask for the reset itself every few seconds instead."
                refusal = answer(Request(scope), full.status_code, full.code, words, **full.more)
                await refusal(scope, receive, send)
                return
            await super().__call__(scope, receive, send)


@router.get(
    "/resets/{reset_id:uuid}/events",
    operation_id="watchReset",
    response_class=_Events,
    responses=STREAM | problems("reset-unknown", "forbidden"),
)
async def watch_reset(
    reset_id: UUID,
    actor: Watcher,
    last_event_id: Annotated[
        str, Header(max_length=200, description="The id of the last event seen, as browsers send it by themselves")
    ] = "",
) -> Response:
    """Follow a reset live. What was seen already is not sent again; the stream ends with the reset."""
    first = await anyio.to_thread.run_sync(_look, actor, reset_id)
    if first.done and last_event_id == reset_answer.mark(first):
        return Response(status_code=204)
    return _Events(_events(actor, first, last_event_id), actor=actor)


async def _events(actor: Actor, first: ResetAnswer, seen: str) -> AsyncIterator[str]:
    """No database connection is held between two looks."""
    began = spoke = time.monotonic()
    reset: ResetAnswer = first
    yield f"retry: {AGAIN_MILLISECONDS}\n\n"
    while not ending.begun:
        mark = reset_answer.mark(reset)
        if mark != seen or reset.done:
            seen, spoke = mark, time.monotonic()
            yield _event("done" if reset.done else "progress", mark, reset)
        elif time.monotonic() - spoke > HEARTBEAT_SECONDS:
            spoke = time.monotonic()
            yield ": still here\n\n"
        if reset.done or time.monotonic() - began > LONGEST_SECONDS:
            return
        await anyio.sleep(LOOK_SECONDS)
        try:
            reset = await anyio.to_thread.run_sync(_look, actor, first.id)
        except (DBAPIError, Refused):  # the client comes again, and is then told in the proper form
            return


def _look(actor: Actor, reset_id: UUID) -> ResetAnswer:
    with transaction() as session:
        actor.must_have_one_of(Permission.COURSES, Permission.USERS)
        return reset_answer.of(session, reset_seen_by(session, actor, reset_id))


def _event(name: str, mark: str, reset: ResetAnswer) -> str:
    return f"event: {name}\nid: {mark}\ndata: {reset.model_dump_json()}\n\n"
