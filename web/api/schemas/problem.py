"""Problems (RFC 9457)."""

from typing import Any

PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {
            "type": "string",
            "format": "uri-reference",
            "description": "The kind of problem: never changes; its address explains it.",
        },
        "title": {"type": "string", "description": "The type in words."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "What went wrong and what to do, in a sentence or two."},
        "errors": {
            "type": "array",
            "description": "Each error, with its field or, for an import, its line.",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "at": {"type": "string", "description": "The field, such as `body.reason` or `query.after`."},
                    "file": {"type": "string", "description": "Only for an archive: the file in it."},
                    "line": {"type": "integer", "description": "The line of the file, from 1."},
                    "detail": {"type": "string"},
                },
            },
        },
        "more": {"type": "integer", "description": "Only for imports: the number of errors not listed."},
        "changes": {
            "type": "array",
            "description": "Only for an outdated plan: what has changed since, in words.",
            "items": {"type": "string"},
        },
        "now": {
            "type": "object",
            "description": "Only for an outdated plan: its figures as they are now.",
            "properties": {
                "learners": {"type": "integer"},
                "removed": {"type": "object", "additionalProperties": {"type": "integer"}},
                "alerts": {"type": "integer"},
                "about": {"type": "boolean"},
            },
        },
    },
}
