"""A span around each request while tracing is on. It carries the route, never the address with its ids and text."""

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tasks.tracing import span

QUIET = ("/healthz", "/readyz", "/metrics", "/static/")  # requested by machines all the time


class RequestSpans:
    """Continues the caller's trace if there is a `traceparent` header, else starts one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(QUIET):
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        with span(method, caller=Request(scope).headers.get("traceparent")) as it:

            async def send_and_note(message: Message) -> None:
                if it is not None and message["type"] == "http.response.start":
                    it.set_attribute("http.response.status_code", message["status"])
                await send(message)

            await self._app(scope, receive, send_and_note)
            if it is not None and (route := scope.get("route")):
                it.update_name(f"{method} {route.path}")
