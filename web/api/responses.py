"""What endpoints document of their responses beside the schema: problems and headers."""

from typing import Any

from models.refusals import refusal_with
from web.problems import KINDS, title_of

PROBLEM_JSON = "application/problem+json"
ANYWHERE = (
    "token-invalid",
    "scope-missing",
    "request-invalid",
    "too-many-requests",
    "unavailable",
    "busy",
    "internal-error",
)

WAIT_SECONDS = 2  # between two polls of a reset

Responses = dict[int | str, dict[str, Any]]

TEXT: dict[str, Any] = {"schema": {"type": "string"}}
RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait before you poll the reset", **TEXT}}
ONCE = {
    "Location": {"description": "The address of what was created", **TEXT},
    "Idempotent-Replayed": {"description": "`true` if this answer repeats an earlier one", **TEXT},
}
PAGED: Responses = {
    200: {"headers": {"Link": {"description": 'The next page, `<…>; rel="next"`, if there is one', **TEXT}}}
}


def problems(*codes: str) -> Responses:
    """Returns the responses with these problems, and with those of every endpoint."""
    if "body-too-large" in codes:
        codes = (*codes, "body-too-slow")
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys((*codes, *ANYWHERE)):
        by_status.setdefault(_status(code), []).append(code)
    return {status: _response(status, codes) for status, codes in sorted(by_status.items())}


def _status(code: str) -> int:
    refusal = refusal_with(code)
    return refusal.status if refusal else KINDS[code].status


def _response(status: int, codes: list[str]) -> dict[str, Any]:
    return {
        "description": " · ".join(title_of(code) for code in codes),
        "content": {
            PROBLEM_JSON: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {code: {"value": _example(status, code)} for code in codes},
            }
        },
    }


def _example(status: int, code: str) -> dict[str, Any]:
    detail = KINDS[code].meaning if code in KINDS else "What went wrong and what to do."
    return {"type": f"/problems/{code}", "title": title_of(code), "status": status, "detail": detail}
