"""The answer to each kind of exception."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from scim2_models import SCIMException
from starlette.exceptions import HTTPException
from starlette.routing import Match

from config.languages import gettext
from models.disks import full_disk
from models.refusals.audience_lists import AudienceFileInvalid
from models.refusals.base import Refused
from models.refusals.imports import ImportInvalid, LineError
from models.refusals.resets import PlanOutdated
from models.session import DBAPIError, NoConnectionError
from web.access import NotSignedInError
from web.problems.answers import answer, retry_after
from web.problems.database import database_error, no_connection
from web.problems.kinds import KINDS, Problem
from web.problems.last_resort import LastResort, unexpected
from web.problems.not_signed_in import not_signed_in
from web.problems.scim import scim_error

FIGURES = ("learners", "removed", "alerts", "about")  # of a plan, in its answer and in `now`
METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
CODES = {404: "not-found", 405: "method-not-allowed", 413: "body-too-large"}


def handle_problems(app: FastAPI) -> None:
    """Have the application answer every exception as a problem."""
    for kind, handler in HANDLERS.items():
        app.add_exception_handler(kind, handler)
    app.add_middleware(LastResort)  # the first, so the innermost: its answers pass through all others


def answer_to(request: Request, error: Exception) -> Response | None:
    """Returns the answer to an exception raised outside of an endpoint; `None` if no handler is for it."""
    handler = next((HANDLERS[kind] for kind in type(error).__mro__ if kind in HANDLERS), None)
    return handler(request, error) if handler else None


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    headers = retry_after(error)
    if error.code == "token-invalid":
        headers["WWW-Authenticate"] = 'Bearer realm="recourse"'
    more: dict[str, Any] = {}
    if isinstance(error, ImportInvalid | AudienceFileInvalid):
        more = {"errors": [_line_error(one) for one in error.errors], "more": error.more}
    if isinstance(error, PlanOutdated):
        more = {"changes": error.changes, "now": {name: getattr(error, name) for name in FIGURES}}
    return answer(request, error.status, error.code, str(error), headers=headers, **more)


def _line_error(error: LineError) -> dict[str, Any]:
    where = {"file": error.file} if error.file else {}
    return where | {"line": error.line, "detail": error.detail}


def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return answer(request, error.status_code, error.code, error.detail, **error.more)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if not request.url.path.startswith("/v1") and any(one["loc"][0] == "path" for one in error.errors()):
        return answer(request, 404, "not-found", KINDS["not-found"].meaning)  # an edited link
    # Without the values: they may be personal data.
    errors = [{"at": ".".join(map(str, one["loc"])), "detail": one["msg"]} for one in error.errors()]
    listed = "; ".join(f"{one['at']}: {one['detail']}" for one in errors[:5])
    return answer(
        request,
        422,
        "request-invalid",
        gettext("Correct the request and send it again: {listed}", listed=listed),
        errors=errors,
    )


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if full_disk(error):  # the form parser could not write an upload's temporary file
        return unexpected(request, error)
    code = CODES.get(error.status_code, "request-invalid")
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_methods_of(request))
    return answer(request, error.status_code, code, KINDS[code].meaning, headers=headers)


def _methods_of(request: Request) -> list[str]:
    """Returns the methods that the address accepts. Starlette names those of its first matching route alone."""
    routes = request.app.routes
    return [
        method
        for method in METHODS
        if any(route.matches({**request.scope, "method": method})[0] == Match.FULL for route in routes)
    ]


HANDLERS: dict[type[Exception], Callable[[Request, Exception], Response]] = {
    Refused: _refused,
    Problem: _problem,
    RequestValidationError: _invalid,
    HTTPException: _http,
    DBAPIError: database_error,
    NotSignedInError: not_signed_in,
    NoConnectionError: no_connection,
    SCIMException: scim_error,
}
