"""Problems as SCIM reports them (RFC 7644, section 3.12)."""

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from scim2_models import Error, SCIMException

PREFIX = "/scim/"
TAKEN = ("user-exists", "external-id-taken")
BODY = ("request-invalid",)
BAD_REQUEST, NOT_ACCEPTABLE_VALUE = 400, 422


def scim_answer(status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    """Returns a problem of these pages and of the API, as SCIM reports it."""
    kind = None
    if code in TAKEN:
        kind = "uniqueness"
    elif status == NOT_ACCEPTABLE_VALUE:
        status, kind = BAD_REQUEST, "invalidSyntax" if code in BODY else "invalidValue"
    return _answer(Error(status=status, scim_type=kind, detail=detail), headers)


def scim_error(_: Request, error: Exception) -> Response:
    """Returns the answer to an error of SCIM's own."""
    assert isinstance(error, SCIMException)
    return _answer(error.to_error(), None)


def _answer(error: Error, headers: dict[str, str] | None) -> Response:
    return JSONResponse(error.model_dump(), error.status or 500, headers, media_type="application/scim+json")
