"""What goes wrong, told: to programs as problems (RFC 9457), to people as a page. The type of a problem is the address
of its explanation, `/problems/<code>`, and never changes."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.disks import full_disk
from models.refusals.base import Refused
from models.refusals.imports import ImportInvalid
from models.refusals.resets import PlanOutdated
from models.refusals.sign_in import SignInBusy, SignInThrottled
from models.session import DBAPIError, NoConnectionError, in_words, is_connection_lost, is_unstorable
from web.access import NotSignedInError
from web.templating import page

log = structlog.get_logger(__name__)

EXPLAINED = {
    "request-invalid": "Some part of the request is missing or not of its form. `errors` says which.",
    "not-found": "There is nothing at this address, or nothing that you may know of.",
    "method-not-allowed": "This address does not take this method.",
    "body-too-large": "The request's body is larger than this address takes.",
    "body-too-slow": "The request's body did not come within the time that it may take.",
    "too-many-requests": "You, or your organization, have as much of this open as one may at once.",
    "media-type-unsupported": "This address does not take a body of this type.",
    "unavailable": "The database does not answer at the moment. Nothing was changed.",
    "disk-full": "A disk of this installation is full. Nothing was changed. Whoever runs it has to free some space.",
    "busy": "Somebody else has this in hand at the moment. Nothing was changed.",
    "internal-error": "Something went wrong here that we did not foresee. It was logged.",
}
"""The problems that are no refusals, and what they mean."""


FIGURES = ("learners", "removed", "alerts", "about")
"""Of a preview, as an answer to a plan names them."""


class Problem(HTTPException):
    """A problem that is no refusal; `code` is one of `EXPLAINED`.

    An `HTTPException`, since FastAPI takes any other error while it reads a body for a body that it cannot read.
    """

    def __init__(self, status: int, code: str, detail: str, **more: Any) -> None:
        super().__init__(status, detail)
        self.code, self.more = code, more


def again_after(refusal: Refused) -> dict[str, str]:
    """The header that says when to come again, if the refusal does."""
    if isinstance(refusal, SignInThrottled | SignInBusy):
        return {"Retry-After": str(refusal.seconds)}
    return {}


def tell_problems(app: FastAPI) -> None:
    """Have the application answer every error in these forms."""
    for kind, handler in _handlers().items():
        app.add_exception_handler(kind, handler)
    app.add_middleware(Unforeseen)  # the first, so it is the innermost: its answers get what all answers get


def told(request: Request, error: Exception) -> Response | None:
    """The answer to this error, for what is no endpoint; none if it is not one of these."""
    handlers = _handlers()
    handler = next((handlers[kind] for kind in type(error).__mro__ if kind in handlers), None)
    return handler(request, error) if handler else None


def _handlers() -> dict[type[Exception], Callable[[Request, Exception], Response]]:
    return {
        Refused: _refused,
        Problem: _problem,
        RequestValidationError: _invalid,
        HTTPException: _http,
        DBAPIError: _database,
        NotSignedInError: _not_signed_in,
        NoConnectionError: _busy,
    }


def answer(request: Request, status: int, code: str, detail: str, **more: Any) -> Response:
    """The problem in the form that suits who asked."""
    headers = more.pop("headers", {})
    if request.url.path.startswith("/v1"):
        body = {"type": f"/problems/{code}", "title": title_of(code), "status": status, "detail": detail, **more}
        return JSONResponse(body, status, headers, media_type="application/problem+json")
    in_dialog = request.headers.get("hx-target") == "dialog"
    template = "problem_dialog.html" if in_dialog else "problem.html"
    return page(request, template, status=status, headers=headers, title=title_of(code), detail=detail, **more)


def title_of(code: str) -> str:
    """A problem's code as words."""
    return code.replace("-", " ").capitalize()


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    headers = again_after(error)
    if error.code == "token-invalid":
        headers["WWW-Authenticate"] = 'Bearer realm="recourse"'
    more: dict[str, Any] = {}
    if isinstance(error, ImportInvalid):
        more = {"errors": [{"line": line, "detail": detail} for line, detail in error.errors], "more": error.more}
    if isinstance(error, PlanOutdated):
        more = {"changes": error.changes, "now": {name: getattr(error, name) for name in FIGURES}}
    return answer(request, error.status, error.code, str(error), headers=headers, **more)


def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return answer(request, error.status_code, error.code, error.detail, **error.more)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if not request.url.path.startswith("/v1") and any(one["loc"][0] == "path" for one in error.errors()):
        return answer(request, 404, "not-found", EXPLAINED["not-found"])  # a link that somebody has changed
    # Not the values themselves: they may be personal, and are the sender's own anyway.
    wrong = [{"at": ".".join(map(str, one["loc"])), "detail": one["msg"]} for one in error.errors()]
    told = "; ".join(f"{one['at']}: {one['detail']}" for one in wrong[:5])
    return answer(request, 422, "request-invalid", f"Put this right and send it again: {told}", errors=wrong)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if full_disk(error):  # an upload that its temporary file could not take
        return _unforeseen(request, error)
    code = {404: "not-found", 405: "method-not-allowed", 413: "body-too-large"}.get(
        error.status_code, "request-invalid"
    )
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_methods_of(request))
    return answer(request, error.status_code, code, EXPLAINED[code], headers=headers)


def _methods_of(request: Request) -> list[str]:
    """What the address takes. Starlette itself names the methods of the first route alone that has it."""
    return [
        method
        for method in ("DELETE", "GET", "PATCH", "POST", "PUT")
        if any(route.matches({**request.scope, "method": method})[0] == Match.FULL for route in request.app.routes)
    ]


def _database(request: Request, error: Exception) -> Response:
    assert isinstance(error, DBAPIError)
    if is_unstorable(error):
        words = "Some value holds a character or a number that cannot be stored. Put it right and send it again."
        return answer(request, 422, "request-invalid", words)
    if full_disk(error):
        return _unforeseen(request, error)
    if is_connection_lost(error):
        log.warning("database_away", error=in_words(error))
        words = f"{EXPLAINED['unavailable']} Try again in a moment."
        return answer(request, 503, "unavailable", words, headers={"Retry-After": "5"})
    if getattr(error.orig, "sqlstate", None) in ("55P03", "57014", "40P01", "40001"):  # it waited for another's lock
        words = f"{EXPLAINED['busy']} Try again in a moment."
        return answer(request, 503, "busy", words, headers={"Retry-After": "5"})
    return _unforeseen(request, error)


def _not_signed_in(request: Request, _: Exception) -> Response:
    in_part = request.headers.get("hx-request") is not None
    where = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if in_part or request.method != "GET":  # then the page that it came from is where the person was
        came_from = urlsplit(request.headers.get("hx-current-url") or request.headers.get("referer") or "")
        ours = came_from.netloc == request.headers.get("host")
        where = came_from.path + (f"?{came_from.query}" if came_from.query else "") if ours else "/"
    sign_in = "/sign-in" + (f"?next={quote(where)}" if where != "/" else "")
    if in_part:  # a part of a page cannot show the sign-in page: the whole page goes there
        return Response(status_code=401, headers={"HX-Redirect": sign_in})
    return RedirectResponse(sign_in, 303)


def _busy(request: Request, _: Exception) -> Response:
    """Every connection to the database was in use for so long that it was given up."""
    words = "More is asked for at the moment than can be answered. Nothing was changed. Try again in a moment."
    return answer(request, 503, "busy", words, headers={"Retry-After": "5"})


class Unforeseen:
    """Answers what nobody foresaw. Starlette would do so outside of everything, and without its headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def note(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, note)
        except ClientDisconnect:  # nobody is there to be answered, and a line in the log is theirs to write at will
            return
        except Exception as error:
            if begun or scope["type"] != "http":
                raise
            await _unforeseen(Request(scope), error)(scope, receive, send)


def _unforeseen(request: Request, error: Exception) -> Response:
    words = in_words(error)
    if which := full_disk(error):
        log.error("disk_full", method=request.method, path=request.url.path, disk=which, error=words)
        told = f"{EXPLAINED['disk-full']} It is {which}."
        return answer(request, 507, "disk-full", told)
    log.error("request_failed", method=request.method, path=request.url.path, error=words, exc_info=error)
    return answer(request, 500, "internal-error", f"{EXPLAINED['internal-error']} Try again, or tell an administrator.")
