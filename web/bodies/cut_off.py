"""Forms whose file is too large, without losing the other fields.

Browsers show no answer before they have sent everything, and a form's fields come before its file. So the rest of such
a file is read and discarded, the form ends where it was cut off, and its page comes back as it was filled in.
"""

from starlette.requests import Request
from starlette.types import Message, Receive

MOST = 2_000_000_000  # bytes to read and discard; a larger form gets no page, only the problem
_END = 1_000  # bytes kept free for the form's end
_MARK = "recourse.cut_off"


def is_cut_off(request: Request) -> bool:
    """Returns whether the request's file was too large, so that only its beginning was kept."""
    return bool(request.scope.get(_MARK))


def boundary_of(request: Request) -> str:
    """Returns what separates the parts of a form with files; empty for other bodies."""
    media_type, _, boundary = request.headers.get("content-type", "").partition("boundary=")
    return boundary.strip('"') if media_type.lower().startswith("multipart/form-data") else ""


def cut_off(request: Request, receive: Receive, limit: int) -> Receive:
    """Returns a `receive` that passes on the form's first `limit` bytes and discards the rest."""
    read, is_over, end = 0, False, f"\r\n--{boundary_of(request)}--\r\n".encode()

    async def receive_within() -> Message:
        nonlocal read, is_over
        if is_over:
            return {"type": "http.disconnect"}
        message = await receive()
        read += len(message.get("body", b""))
        if read <= limit - _END:
            return message
        while message.get("more_body") and read <= MOST:
            message = await receive()
            read += len(message.get("body", b""))
        if message["type"] == "http.disconnect":
            return message
        is_over = request.scope[_MARK] = True
        return {"type": "http.request", "body": end, "more_body": False}

    return receive_within
