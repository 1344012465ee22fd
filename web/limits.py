"""How large a request may be: what is larger is refused before it fills a disk."""

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from config.settings import settings

MEGABYTE = 1_000_000
FORM_LIMIT_MB = 1  # and of JSON
IMPORT_LIMIT_MB = 2_000  # streamed to a temporary file


class BodyTooLargeError(Exception):
    """The request's body is larger than its address takes; `limit` is in megabytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"at most {limit} MB")
        self.limit = limit


class BodyLimit:
    """Ends the reading of a body that is too large, as its head says or as its bytes come."""

    def __init__(self, app: ASGIApp, refuse: Callable[[Scope, int], ASGIApp]) -> None:
        """`refuse` makes the answer, from the request and the limit."""
        self._app, self._refuse = app, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        limit = limit_of(scope["path"])
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit * MEGABYTE:
            return await self._refuse(scope, limit)(scope, receive, send)
        read, answered = 0, False

        async def receive_within() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit * MEGABYTE:
                raise BodyTooLargeError(limit)
            return message

        async def note(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self._app(scope, receive_within, note)
        except BodyTooLargeError:
            if answered:
                raise
            await self._refuse(scope, limit)(scope, receive, send)
        return None


def limit_of(path: str) -> int:
    """Megabytes that a body may have which is sent to this path."""
    if path.startswith("/v1/imports"):
        return IMPORT_LIMIT_MB
    if is_hand_in(path):
        return settings().file_limit_mb + 1  # a file, and the other fields
    return FORM_LIMIT_MB


def is_hand_in(path: str) -> bool:
    """Whether this path takes a form with a file."""
    return path.startswith("/my/courses/") and "/attempts/" in path
