"""What an address does not know is refused, and not passed over: a filter with a typing error would else give all."""

from fastapi import Request

from web.problems import Problem


def nothing_unknown(request: Request) -> None:
    """A dependency of all of the API: every query parameter is one that the document has. It raises `Problem`."""
    if not request.query_params:
        return
    known = _parameters_of(request)
    if unknown := sorted(set(request.query_params) - known):
        there_are = f"There are {', '.join(sorted(known))}." if known else "It takes none."
        words = f"This address has no parameter {unknown[0]!r}. {there_are} Nothing was changed."
        errors = [{"at": f"query.{name}", "detail": "there is no such parameter"} for name in unknown]
        raise Problem(422, "request-invalid", words, errors=errors)


def _parameters_of(request: Request) -> set[str]:
    name = request.scope["route"].operation_id
    operations = (one for path in request.app.openapi()["paths"].values() for one in path.values())
    operation = next(one for one in operations if one["operationId"] == name)
    return {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
