"""The answer to unexpected errors."""

from fastapi import Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from config.languages import gettext
from config.languages.stored import told
from config.log import logger
from models.disks import full_disk
from models.session import in_words
from web.problems.answers import answer
from web.problems.kinds import KINDS

log = logger(__name__)


class LastResort:
    """Middleware that answers what no handler does. Starlette's own would stand outside of all others, so its answers
    would lack the security headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except ClientDisconnect:  # not logged: clients could fill the log at will
            return
        except Exception as error:
            if begun or scope["type"] != "http":
                raise
            await unexpected(Request(scope), error)(scope, receive, send)


def unexpected(request: Request, error: Exception) -> Response:
    """Logs the error and returns the answer: 507 for a full disk, 500 otherwise."""
    words = in_words(error)
    if disk := full_disk(error):
        log.error("disk_full", method=request.method, path=request.url.path, disk=disk, error=words)
        code, more = "disk-full", gettext(" The disk: {disk}.", disk=told(disk))
    else:
        log.error("request_failed", method=request.method, path=request.url.path, error=words, exc_info=error)
        code, more = "internal-error", ""
    kind = KINDS[code]
    return answer(request, kind.status, code, gettext(kind.meaning) + more)
