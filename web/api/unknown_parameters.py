"""Refuse unknown query parameters: a filter with a typing error would otherwise match everything."""

from fastapi import Request

from web.problems import Problem


def refuse_unknown_parameters(request: Request) -> None:
    """A dependency of every endpoint. Raises `Problem` for a query parameter that the document does not have."""
    if not request.query_params:
        return
    known = _parameters_of(request)
    if unknown := sorted(set(request.query_params) - known):
        choice = f"Use {', '.join(sorted(known))}." if known else "It has none."
        words = f"This address has no parameter {unknown[0]!r}. {choice} Nothing was changed."
        errors = [{"at": f"query.{name}", "detail": "there is no such parameter"} for name in unknown]
        raise Problem("request-invalid", words, errors=errors)


def _parameters_of(request: Request) -> set[str]:
    name = request.scope["route"].operation_id
    operations = (one for path in request.app.openapi()["paths"].values() for one in path.values())
    operation = next(one for one in operations if one["operationId"] == name)
    return {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
