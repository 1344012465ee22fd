"""The OpenAPI document: FastAPI's, with what it cannot know."""

import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from web.api.idempotency import KEY_LENGTH
from web.api.schemas.base import Answer, Body
from web.api.schemas.problem import PROBLEM

TAGS = [
    {"name": "resets", "description": "Plan a reset, confirm it, follow it. **A reset cannot be undone.**"},
    {
        "name": "learning",
        "description": "Learners' courses and records. Each write names an enrolment's registration.",
    },
    {
        "name": "imports",
        "description": "Users, courses, enrolments, groups and history in bulk: the whole file or nothing.",
    },
    {"name": "analytics", "description": "Course completion, as JSON or CSV."},
    {"name": "rules", "description": "Resets by date, after each completion, or after an event."},
    {"name": "users", "description": "Find, add, change and remove users. **An erasure cannot be undone.**"},
    {"name": "groups", "description": "Sites, departments or crews, as audiences of resets and rules."},
    {"name": "participants", "description": "Systems that clear records of their own with each reset."},
    {"name": "webhooks", "description": "Addresses that are notified of resets, and what was delivered to them."},
    {"name": "tokens", "description": "Tokens of programs: list, create and revoke."},
    {"name": "me", "description": "The user of a token."},
]

DESCRIPTION = """Send a bearer token from `recourse token create`. Errors are problems (RFC 9457).
Unknown fields and parameters are refused, and nothing is changed.
Long lists come in pages: follow the `Link` header with `rel="next"`."""


def describe(app: FastAPI) -> None:
    """Replace the application's OpenAPI document by this one."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign] # as FastAPI's own guide has it


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=DESCRIPTION,
        routes=app.routes,
        tags=TAGS,
        servers=[{"url": "/"}],
    )
    schemas = document["components"]["schemas"]
    schemas["Problem"] = PROBLEM
    for kind in (*_kinds_of(Body), *_kinds_of(Answer)):
        extra = kind.model_config.get("json_schema_extra")
        if kind.__name__ in schemas and isinstance(extra, dict):
            schemas[kind.__name__] |= extra  # again: FastAPI drops the nulls of examples
    for path in document["paths"].values():
        for operation in path.values():
            operation["summary"] = _summary(operation["description"])
            _require_key(operation)
            for response in operation["responses"].values():
                _describe_response(response, schemas)
    return document


def _kinds_of(base: type[BaseModel]) -> list[type[BaseModel]]:
    return [each for kind in base.__subclasses__() for each in (kind, *_kinds_of(kind))]


def _summary(description: str) -> str:
    """Returns the beginning of a description. FastAPI takes the function's name."""
    return re.split(r"[.:,;]", description, maxsplit=1)[0]


def _describe_response(response: dict[str, Any], schemas: dict[str, Any]) -> None:
    content = response.get("content", {})
    content.get("text/event-stream", {}).pop("schema", None)  # FastAPI's, plain text; `itemSchema` has the events
    reference = content.get("application/json", {}).get("schema", {}).get("$ref")
    if reference and response["description"] == "Successful Response":
        response["description"] = schemas[reference.rsplit("/", 1)[1]]["description"]


def _require_key(operation: dict[str, Any]) -> None:
    """Mark the idempotency key as required. FastAPI takes it as optional: it would answer 422 where we answer 400."""
    for parameter in operation.get("parameters", []):
        if parameter["name"] == "Idempotency-Key":
            parameter["required"] = True
            parameter["schema"] = {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH, "pattern": "^[!-~]+$"}
