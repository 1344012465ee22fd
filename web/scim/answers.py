"""JSON as SCIM sends it."""

from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from tasks.scim.listing import Listing

LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"


class ScimAnswer(JSONResponse):
    """An answer."""

    media_type = "application/scim+json"


def resource_answer(request: Request, resource: dict[str, Any], status: int = 200) -> Response:
    """Returns a resource with its version; without it, if the client has this version already (RFC 9110)."""
    meta = resource.get("meta", {})
    headers = {name: meta[key] for name, key in (("ETag", "version"), ("Content-Location", "location")) if key in meta}
    if status == 201:
        headers["Location"] = headers["Content-Location"]
    known = {one.strip() for one in request.headers.get("if-none-match", "").split(",")}
    if request.method == "GET" and "ETag" in headers and headers["ETag"] in known:
        return Response(status_code=304, headers={"ETag": headers["ETag"]})
    return ScimAnswer(resource, status, headers)


def list_answer(found: Listing) -> Response:
    """Returns a part of a list."""
    return ScimAnswer(
        {
            "schemas": [LIST],
            "totalResults": found.total,
            "startIndex": found.start,
            "itemsPerPage": len(found.entries),
            "Resources": found.entries,
        }
    )
