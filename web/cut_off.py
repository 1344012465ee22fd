"""Files that are larger than is taken, without losing what was written beside them.

Browsers show no answer before they have sent everything, and the fields of a form come before its file. So the rest of
such a file is read and thrown away, the form ends where it was cut off, and its page can come back as it was filled in.
"""

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.limits import MEGABYTE, is_hand_in, limit_of

MOST_MB = 2_000  # that are read to throw them away; of more, the browser is told nothing but that it is too much
END = 1_000  # bytes that the form's end may need
_MARK = "recourse.cut_off"


def is_cut_off(request: Request) -> bool:
    """Whether the request's file was longer than is taken, so that only its beginning is here."""
    return bool(request.scope.get(_MARK))


class CutOff:
    """Cuts off the forms of hand-ins behind what the largest file needs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        boundary, declared = _form_of(scope)
        if not boundary or declared > MOST_MB * MEGABYTE:
            return await self._app(scope, receive, send)
        limit = limit_of(scope["path"]) * MEGABYTE - END
        read, cut_off = 0, False
        scope = {**scope, "headers": [(name, value) for name, value in scope["headers"] if name != b"content-length"]}

        async def receive_within() -> Message:
            nonlocal read, cut_off
            if cut_off:
                return {"type": "http.disconnect"}
            message = await receive()
            read += len(message.get("body", b""))
            if read <= limit:
                return message
            while message.get("more_body") and read <= MOST_MB * MEGABYTE:
                message = await receive()
                read += len(message.get("body", b""))
            if message["type"] == "http.disconnect":
                return message
            cut_off = scope[_MARK] = True
            return {"type": "http.request", "body": f"\r\n--{boundary}--\r\n".encode(), "more_body": False}

        return await self._app(scope, receive_within, send)


def _form_of(scope: Scope) -> tuple[str, int]:
    """What separates the parts of a hand-in's form, and how many bytes it says it has; nothing for what is none."""
    if scope["type"] != "http" or not is_hand_in(scope["path"]):
        return "", 0
    headers = Headers(scope=scope)
    kind, _, boundary = headers.get("content-type", "").partition("boundary=")
    declared = headers.get("content-length", "0")
    is_form = kind.lower().startswith("multipart/form-data")
    return boundary.strip('"') if is_form else "", int(declared) if declared.isdecimal() else 0
