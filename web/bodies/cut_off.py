"""Files that are larger than is taken, without losing what was written beside them.

Browsers show no answer before they have sent everything, and the fields of a form come before its file. So the rest of
such a file is read and thrown away, the form ends where it was cut off, and its page can come back as it was filled in.
"""

from starlette.requests import Request
from starlette.types import Message, Receive

MOST = 2_000_000_000  # bytes that are read to throw them away; of more, the browser is told only that it is too much
_END = 1_000  # bytes that the form's end may need
_MARK = "recourse.cut_off"


def is_cut_off(request: Request) -> bool:
    """Whether the request's file was longer than is taken, so that only its beginning is here."""
    return bool(request.scope.get(_MARK))


def boundary_of(request: Request) -> str:
    """What separates the parts of the request's form; empty if it is none with files."""
    kind, _, boundary = request.headers.get("content-type", "").partition("boundary=")
    return boundary.strip('"') if kind.lower().startswith("multipart/form-data") else ""


def cut_off(request: Request, receive: Receive, limit: int) -> Receive:
    """What reads the form's first `limit` bytes, and throws the rest away."""
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
