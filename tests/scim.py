"""A SCIM client on the tests' own HTTP client."""

from typing import Any

import httpx
from scim2_client import BaseSyncSCIMClient

from models.tokens import Scope
from tests.web import LONGEST, token_for

PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"


def provider_of(base: str, user_id: int, *scopes: Scope) -> httpx.Client:
    """Return an identity provider with a token of this user, of the scope that it needs or of others."""
    headers = {
        "Authorization": f"Bearer {token_for(user_id, *(scopes or (Scope.SCIM_WRITE,)))}",
        "Content-Type": "application/scim+json",
    }
    return httpx.Client(base_url=f"{base}/scim/v2", headers=headers, timeout=LONGEST)


def patch(client: httpx.Client, address: str, *operations: dict[str, Any], **headers: str) -> httpx.Response:
    """Send operations."""
    return client.patch(address, json={"schemas": [PATCH], "Operations": list(operations)}, headers=headers)


class Client(BaseSyncSCIMClient):
    """The client that `scim2-tester` tests with."""

    def __init__(self, http: httpx.Client) -> None:
        super().__init__()
        self._http = http

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        return self._http.request(method, url, **options)

    def _stays_under_base_url(self, endpoint: str) -> bool:
        return endpoint.startswith("/")
