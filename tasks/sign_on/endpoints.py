"""Where a provider's endpoints and keys are, as its own document says: OpenID Connect Discovery 1.0.

Both are kept in the process for ten minutes.
"""

import time
from dataclasses import dataclass
from typing import Any

from config.languages import gettext, translatable
from models.refusals.sign_on import SignOnUnavailable
from models.refusals.webhooks import WebhookAddressRefused
from models.sign_on import IdentityProvider
from tasks.sign_on.http import ask
from tasks.webhooks.post import address_of

KEPT_SECONDS = 600.0
KEYS_SECONDS = 5.0  # at least between two look-ups of keys: anyone can send a token with a made-up key id
DOCUMENT = "/.well-known/openid-configuration"


@dataclass(frozen=True)
class Endpoints:
    """What is used of a provider."""

    authorization: str
    token: str
    keys: str
    userinfo: str | None
    end_session: str | None
    secret_in_body: bool  # how a client proves itself; else in a header
    tells_of_sign_outs: bool  # Back-Channel Logout


_endpoints: dict[str, tuple[float, Endpoints]] = {}
_keys: dict[str, tuple[float, dict[str, Any]]] = {}


def endpoints_of(provider: IdentityProvider) -> Endpoints:
    """Returns the provider's endpoints. Raises `SignOnUnavailable`, also if its document is not as it must be."""
    kept = _endpoints.get(provider.issuer)
    if kept and kept[0] > time.monotonic() - KEPT_SECONDS:
        return kept[1]
    document = ask(provider.name, "GET", provider.issuer.rstrip("/") + DOCUMENT).object()
    if document.get("issuer") != provider.issuer:
        raise SignOnUnavailable(
            provider.name, gettext("its document is of another issuer, {issuer}", issuer=_short(document.get("issuer")))
        )
    methods = document.get("token_endpoint_auth_methods_supported")
    found = Endpoints(
        authorization=_needed(provider, document, "authorization_endpoint"),
        token=_needed(provider, document, "token_endpoint"),
        keys=_needed(provider, document, "jwks_uri"),
        userinfo=_optional(provider, document, "userinfo_endpoint"),
        end_session=_optional(provider, document, "end_session_endpoint"),
        # Libraries disagree on how to escape a secret in the header; in the body there is one way.
        secret_in_body=isinstance(methods, list) and "client_secret_post" in methods,
        tells_of_sign_outs=document.get("backchannel_logout_supported") is True,
    )
    _endpoints[provider.issuer] = (time.monotonic(), found)
    return found


def keys_of(provider: IdentityProvider, *, newest: bool = False) -> dict[str, Any]:
    """Returns the provider's public keys, as a JWK Set. With `newest`, they are looked up again, if they were not a
    moment ago. Raises `SignOnUnavailable`."""
    kept = _keys.get(provider.issuer)
    age = time.monotonic() - kept[0] if kept else None
    if kept and age is not None and age < (KEYS_SECONDS if newest else KEPT_SECONDS):
        return kept[1]
    found = ask(provider.name, "GET", endpoints_of(provider).keys).object()
    if not isinstance(found.get("keys"), list):
        raise SignOnUnavailable(provider.name, translatable("its keys are not a JWK Set"))
    _keys[provider.issuer] = (time.monotonic(), found)
    return found


def forget(issuer: str) -> None:
    """Look up this issuer's endpoints and keys again when they are next needed."""
    _endpoints.pop(issuer, None)
    _keys.pop(issuer, None)


def _needed(provider: IdentityProvider, document: dict[str, Any], name: str) -> str:
    found = _optional(provider, document, name)
    if found is None:
        raise SignOnUnavailable(provider.name, gettext("its document has no {name}", name=name.replace("_", " ")))
    return found


def _optional(provider: IdentityProvider, document: dict[str, Any], name: str) -> str | None:
    found = document.get(name)
    if found is None:
        return None
    try:
        return str(address_of(found).url) if isinstance(found, str) else _wrong(provider, name)
    except WebhookAddressRefused:
        return _wrong(provider, name)


def _wrong(provider: IdentityProvider, name: str) -> str:
    raise SignOnUnavailable(
        provider.name, gettext("the {name} in its document is not a web address", name=name.replace("_", " "))
    )


def _short(value: object) -> str:
    return str(value)[:200]
