"""Bodies of JSON, which are held in memory; `web.limits` keeps them small."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import Message

from web.problems import Problem


class JsonRoute(APIRoute):
    """A route that answers every body it cannot read alike. FastAPI itself has a status of its own for what it did not
    foresee, and takes a body that is too large for such a one."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            body = await request.body()

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
