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
    foresee, and takes a body that is too large for such a one. A body where none is taken is refused as well."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()
        reads_one = self.body_field is not None or "requestBody" in (self.openapi_extra or {})
        takes_none = not reads_one and self.methods != {"GET"}  # there it has no meaning, says RFC 9110

        async def guarded(request: Request) -> Response:
            body = await request.body()
            if takes_none and body.strip() not in (b"", b"{}"):
                words = "This address takes no body, so what it says would be passed over. Nothing was changed."
                raise Problem(422, "request-invalid", words, errors=[{"at": "body", "detail": "there is to be none"}])

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
