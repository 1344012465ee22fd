"""The bodies and query parameters of SCIM, and who sends them."""

import json
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Request
from scim2_models import InvalidSyntaxException, NotFoundException

from models.access import Actor, Permission
from models.tokens import Scope
from web.access import program_with

FOR_PROVIDERS = Depends(program_with(Scope.SCIM_WRITE, Permission.USERS))
Provider = Annotated[Actor, FOR_PROVIDERS]
Key = Annotated[str, Path(description="The resource's id")]
IfMatch = Annotated[str | None, Header(max_length=1000)]


async def _payload(request: Request) -> dict[str, Any]:
    try:
        found = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise InvalidSyntaxException(detail="The body is not JSON in UTF-8. Nothing was changed.") from None
    if not isinstance(found, dict):
        raise InvalidSyntaxException(detail="The body must be a JSON object. Nothing was changed.")
    return found


Payload = Annotated[dict[str, Any], Depends(_payload)]


def parameters(request: Request) -> dict[str, Any]:
    """Returns the query parameters by name, the last of each."""
    return dict(request.query_params)


def nowhere() -> NotFoundException:
    """Returns the error for an unknown address."""
    return NotFoundException(detail="Nothing exists at this address. Check it.")
