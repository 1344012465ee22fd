"""The problems that are not refusals."""

from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException

from config.languages import translatable


@dataclass(frozen=True)
class Kind:
    """A problem's HTTP status, and what it means and asks for."""

    status: int
    meaning: str


KINDS = {
    "request-invalid": Kind(
        422, translatable("Part of the request is missing or not valid. `errors` lists what to correct.")
    ),
    "not-found": Kind(
        404, translatable("Nothing exists at this address, or you have no access to it. Check the address.")
    ),
    "method-not-allowed": Kind(
        405, translatable("This address does not accept this method. `Allow` lists those it accepts.")
    ),
    "body-too-large": Kind(
        413, translatable("The request body is larger than this address accepts. Send a smaller one.")
    ),
    "body-too-slow": Kind(
        408, translatable("The request body arrived too slowly. Send it again over a faster connection.")
    ),
    "too-many-requests": Kind(
        429,
        translatable("You or your organization have too many requests of this kind open. Wait until one of them ends."),
    ),
    "media-type-unsupported": Kind(
        415, translatable("This address does not accept a body of this media type. Send another type.")
    ),
    "unavailable": Kind(
        503, translatable("The database is not available. Nothing was changed. Try again in a moment.")
    ),
    "disk-full": Kind(
        507,
        translatable(
            "A disk of this installation is full. Nothing was changed. Ask an administrator to free some space."
        ),
    ),
    "busy": Kind(
        503,
        translatable(
            "The server is busy, or something else is using this. Nothing was changed. Try again in a moment."
        ),
    ),
    "internal-error": Kind(
        500, translatable("Something unexpected went wrong. The error was logged. Try again, or tell an administrator.")
    ),
}


class Problem(HTTPException):
    """A problem of one of these kinds.

    An `HTTPException`: FastAPI answers any other error raised while it reads a body with a 400 of its own.
    """

    def __init__(self, code: str, detail: str = "", **more: Any) -> None:
        """`detail` says what to do, the kind's meaning by default; `more` goes to `answer`."""
        super().__init__(KINDS[code].status, detail or KINDS[code].meaning)
        self.code, self.more = code, more


def title_of(code: str) -> str:
    """Returns a problem's code in words."""
    return code.replace("-", " ").capitalize()
