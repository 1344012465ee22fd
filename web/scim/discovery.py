"""What this service can do, and its schemas (RFC 7644, section 4)."""

from typing import Any

from fastapi import APIRouter, Request, Response
from scim2_models import (
    AuthenticationScheme,
    Bulk,
    ChangePassword,
    Context,
    ETag,
    Filter,
    Meta,
    NotImplementedException,
    Pagination,
    Patch,
    Resource,
    ResourceType,
    ServiceProviderConfig,
    Sort,
)

from tasks.scim.listing import MOST, Listing
from tasks.scim.resources import Group, User, address_of
from web.scim.answers import list_answer, resource_answer
from web.scim.requests import FOR_PROVIDERS, Key, nowhere

router = APIRouter(dependencies=[FOR_PROVIDERS])

KINDS = (User, Group)
MISSING = "This service has no {}. Send a request for each resource instead."


@router.get("/ServiceProviderConfig")
def config(request: Request) -> Response:
    """Show what this service can do."""
    return resource_answer(request, _config())


@router.get("/ResourceTypes")
def resource_types() -> Response:
    """List the kinds of resources."""
    return _list(_types())


@router.get("/ResourceTypes/{key}")
def resource_type(request: Request, key: Key) -> Response:
    """Show a kind of resources."""
    return _one(request, key, _types())


@router.get("/Schemas")
def schemas() -> Response:
    """List the schemas of the resources."""
    return _list(_schemas())


@router.get("/Schemas/{key}")
def schema(request: Request, key: Key) -> Response:
    """Show a schema."""
    return _one(request, key, _schemas())


@router.api_route("/Me", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
def me() -> Response:
    """Refuse: a token is no resource."""
    raise NotImplementedException(detail=MISSING.format("alias for the user of a token"))


@router.post("/Bulk")
def bulk() -> Response:
    """Refuse."""
    raise NotImplementedException(detail=MISSING.format("bulk requests"))


@router.post("/.search")
def search() -> Response:
    """Refuse: users and groups are searched apart."""
    raise NotImplementedException(detail="Search /Users and /Groups, one at a time.")


def _list(found: list[dict[str, Any]]) -> Response:
    return list_answer(Listing(len(found), 1, found))


def _one(request: Request, key: str, found: list[dict[str, Any]]) -> Response:
    for one in found:
        if one["id"] == key:
            return resource_answer(request, one)
    raise nowhere()


def _config() -> dict[str, Any]:
    scheme = AuthenticationScheme(
        type=AuthenticationScheme.Type.oauthbearertoken,
        name="Bearer token",
        description="A token with the scope scim:write, from `recourse token create`",
        primary=True,
    )
    return _dumped(
        ServiceProviderConfig(
            patch=Patch(supported=True),
            bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
            filter=Filter(supported=True, max_results=MOST),
            change_password=ChangePassword(supported=False),
            sort=Sort(supported=False),
            etag=ETag(supported=True),
            authentication_schemes=[scheme],
            pagination=Pagination(cursor=False, index=True, default_page_size=MOST, max_page_size=MOST),
            meta=Meta(resource_type="ServiceProviderConfig", location=_address("ServiceProviderConfig")),
        )
    )


def _types() -> list[dict[str, Any]]:
    found = []
    for kind in KINDS:
        described = ResourceType.from_resource(kind)
        described.description = kind.__doc__
        described.meta = Meta(resource_type="ResourceType", location=address_of("ResourceType", described.id))
        found.append(_dumped(described))
    return found


def _schemas() -> list[dict[str, Any]]:
    found = []
    for kind in KINDS:
        described = kind.to_schema()
        described.meta = Meta(resource_type="Schema", location=address_of("Schema", described.id))
        found.append(_dumped(described))
    return found


def _address(name: str) -> str:
    return address_of(name, "").rpartition("s/")[0]


def _dumped(resource: Resource[Any]) -> dict[str, Any]:
    return resource.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE)
