"""What the OpenAPI document says beside what FastAPI finds by itself: the problems, and who everybody is."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from models.refusals import refusal_with
from web.api.examples import EXAMPLES
from web.problems import EXPLAINED, title_of

PROBLEM_JSON = "application/problem+json"
ELSEWHERE = {  # the problems that are no refusals
    "request-invalid": 422,
    "body-too-large": 413,
    "body-too-slow": 408,
    "media-type-unsupported": 415,
    "too-many-requests": 429,
    "unavailable": 503,
    "busy": 503,
    "internal-error": 500,
}
ANY = (
    "token-invalid",
    "scope-missing",
    "request-invalid",
    "too-many-requests",
    "unavailable",
    "busy",
    "internal-error",
)

PROBLEM_SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "What went wrong, after RFC 9457.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {
            "type": "string",
            "format": "uri-reference",
            "description": "Which problem it is: it never changes, and its address explains it.",
        },
        "title": {"type": "string", "description": "The type in words."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "A sentence that says what to do."},
        "errors": {
            "type": "array",
            "description": "Each thing that is wrong: with a field, or in an import with a line.",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "at": {"type": "string", "description": "The field."},
                    "line": {"type": "integer", "description": "The line of the file, from 1."},
                    "detail": {"type": "string"},
                },
            },
        },
        "more": {"type": "integer", "description": "How many further errors are not listed."},
        "changes": {
            "type": "array",
            "description": "Of an outdated plan: what it would do beyond what it said.",
            "items": {"type": "string"},
        },
        "now": {
            "type": "object",
            "description": "Of an outdated plan: what it would do now.",
            "properties": {
                "learners": {"type": "integer"},
                "removed": {"type": "object", "additionalProperties": {"type": "integer"}},
                "alerts": {"type": "integer"},
                "about": {"type": "boolean"},
            },
        },
    },
}

TAGS = [
    {"name": "resets", "description": "Plan a reset, confirm it, follow it. **A reset cannot be undone.**"},
    {"name": "learning", "description": "What learners do. Each write carries the enrolment's registration."},
    {"name": "imports", "description": "Users, courses and enrolments in bulk: all of a file or nothing."},
    {"name": "analytics", "description": "Course completion by users, as JSON or CSV."},
    {"name": "rules", "description": "Resets without a click: by the calendar, after each completion, after an event."},
    {"name": "users", "description": "What is done about a person. **An erasure cannot be undone.**"},
    {"name": "groups", "description": "Sites, departments, crews, as audiences."},
    {"name": "me", "description": "For whom a token speaks."},
]

DESCRIPTION = """Send a bearer token from `recourse token create`. What goes wrong is told as a problem (RFC 9457).
A field or a parameter that is not in this document is refused, and nothing is done.
Lists come a page at a time: follow the `Link` header with `rel="next"`."""


def problems(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The answers with these problems, and with those that any address has, for an endpoint's `responses`."""
    if "body-too-large" in codes:
        codes = (*codes, "body-too-slow")
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys((*codes, *ANY)):
        by_status.setdefault(_status(code), []).append(code)
    return {status: _answer(status, codes) for status, codes in sorted(by_status.items())}


def describe(app: FastAPI) -> None:
    """Have the application's OpenAPI document say all of this."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            said = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=DESCRIPTION,
                routes=app.routes,
                tags=TAGS,
                servers=[{"url": "/"}],
            )
            schemas = said["components"]["schemas"]
            schemas["Problem"] = PROBLEM_SCHEMA
            for name, example in EXAMPLES.items():
                schemas[name]["examples"] = [example]
            for path in said["paths"].values():
                for operation in path.values():
                    _require_key(operation)
                    for answer in operation["responses"].values():
                        stream = answer.get("content", {}).get("text/event-stream", {})
                        stream.pop("schema", None)  # FastAPI's, that it is text; `itemSchema` says what each event is
            app.openapi_schema = said
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign] # as FastAPI's own guide has it


def _require_key(operation: dict[str, Any]) -> None:
    """FastAPI would answer a missing header with 422, so to it the header is optional; the IETF's draft says 400."""
    for parameter in operation.get("parameters", []):
        if parameter["name"] == "Idempotency-Key":
            parameter["required"] = True
            parameter["schema"] = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}


def _status(code: str) -> int:
    if refusal := refusal_with(code):
        return refusal.status
    return ELSEWHERE[code]


def _answer(status: int, codes: list[str]) -> dict[str, Any]:
    examples = {
        code: {
            "value": {
                "type": f"/problems/{code}",
                "title": title_of(code),
                "status": status,
                "detail": EXPLAINED.get(code, "A sentence that says what to do."),
            }
        }
        for code in codes
    }
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": " · ".join(title_of(code) for code in codes),
        "content": {PROBLEM_JSON: {"schema": schema, "examples": examples}},
    }
