"""How much a request may say."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import Message

from web.problems import EXPLAINED, Problem

MOST_BYTES = 1024 * 1024


class JsonRoute(APIRoute):
    """A route whose body is held in memory, and so must be small.

    FastAPI has a limit of its own, but its answer is no problem of RFC 9457.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            body = await _read(request)

            async def receive() -> Message:
                return {"type": "http.request", "body": body, "more_body": False}

            try:
                return await answer(Request(request.scope, receive))
            except HTTPException as error:
                if error.status_code != 400:
                    raise
                words = "The body is not JSON in UTF-8, or is nested too deeply. Put this right and send it again."
                raise Problem(422, "request-invalid", words, errors=[{"at": "body", "detail": words}]) from None

        return guarded


async def _read(request: Request) -> bytes:
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > MOST_BYTES:
        raise too_large(MOST_BYTES)
    body = bytearray()
    async for block in request.stream():
        body += block
        if len(body) > MOST_BYTES:
            raise too_large(MOST_BYTES)
    return bytes(body)


def too_large(most: int) -> Problem:
    """The problem of a body with more than `most` bytes."""
    size = f"{most // 1024**2} MB"
    return Problem(413, "body-too-large", f"{EXPLAINED['body-too-large']} It takes {size}. Send less at once.")
