"""Routes whose bodies are JSON, held in memory; `web.bodies` keeps them small."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import Message

from web.problems import Problem


class JsonRoute(APIRoute):
    """A route that refuses a body it cannot read, and a body where it reads none, as `request-invalid`.

    FastAPI answers an unreadable body with a 400 of its own, even one whose reading raised another status.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        has_body = self.body_field is not None or "requestBody" in (self.openapi_extra or {})
        refuses_body = not has_body and self.methods != {"GET"}  # a GET's body has no meaning (RFC 9110)

        async def guarded(request: Request) -> Response:
            body = await request.body()
            if refuses_body and body.strip() not in (b"", b"{}"):
                words = "This address accepts no body. Send the request again without one. Nothing was changed."
                raise Problem("request-invalid", words, errors=[{"at": "body", "detail": "must be empty"}])

            async def receive() -> Message:
                return {"type": "http.request", "body": body.strip(), "more_body": False}  # no body, if only space

            try:
                return await handler(Request(request.scope, receive))
            except HTTPException as error:
                if error.status_code != 400:
                    raise
                words = "The body is not JSON in UTF-8, or is nested too deeply. Correct it and send it again."
                raise Problem("request-invalid", words, errors=[{"at": "body", "detail": words}]) from None

        return guarded
