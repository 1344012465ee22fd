"""What a client of OpenID Connect asks a provider: a code for tokens, who the user is, and new tokens."""

from typing import Any
from urllib.parse import urlencode

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.client import OAuth2Client

from config.languages import gettext, translatable
from config.settings import settings
from models.refusals.sign_on import SignOnDeclined, SignOnFailed, SignOnUnavailable
from models.sealing import SecretUnreadableError
from models.sign_on import IdentityProvider, Tokens
from tasks.sign_on.endpoints import Endpoints, endpoints_of
from tasks.sign_on.http import Said, ask

UNREADABLE = (ValueError, TypeError, OverflowError)  # raised by Authlib: no JSON object, or no number in `expires_in`


class EndedThereError(Exception):
    """The provider no longer vouches for the session."""


class _Session:
    """The part of an HTTP client that Authlib uses, with our limits."""

    def __init__(self, provider: str) -> None:
        self._provider = provider

    def post(self, url: str, data: dict[str, str], headers: dict[str, str], auth: Any) -> Said:
        url, headers, body = auth.prepare("POST", url, dict(headers), urlencode(data))
        return ask(self._provider, "POST", url, headers=headers, content=body)


def callback_of(slug: str) -> str:
    """Returns the address that the provider sends users back to. Each organization has its own, so that one provider's
    answer is never taken for another's."""
    return f"{settings().public_url}/sign-on/{slug}/callback"


def signed_out_address() -> str:
    """Returns the address that the provider sends users to after a sign-out."""
    return f"{settings().public_url}/sign-in"


def back_channel_of(slug: str) -> str:
    """Returns the address that the provider tells of sign-outs."""
    return f"{settings().public_url}/sign-on/{slug}/logout"


def authorization_url(provider: IdentityProvider, slug: str, *, state: str, nonce: str, verifier: str) -> str:
    """Returns the provider's page to send the user to. Raises `SignOnUnavailable`."""
    endpoints = endpoints_of(provider)
    url, _ = _client(provider, endpoints, slug).create_authorization_url(
        endpoints.authorization, state=state, nonce=nonce, code_verifier=verifier
    )
    return str(url)


def tokens_for(provider: IdentityProvider, slug: str, code: str, verifier: str) -> Tokens:
    """Returns the tokens that the code is worth; they are not verified yet.

    Raises `SignOnUnavailable`, `SignOnDeclined`, `SignOnFailed`.
    """
    endpoints = endpoints_of(provider)
    try:
        found = _client(provider, endpoints, slug).fetch_token(endpoints.token, code=code, code_verifier=verifier)
    except OAuth2Error as error:
        raise SignOnDeclined(provider.name, str(error.error)[:100]) from None
    except UNREADABLE:
        raise SignOnFailed(provider.name, translatable("it cannot be read")) from None
    tokens = _tokens(found, None)
    if tokens is None or not tokens.id_token:
        raise SignOnFailed(provider.name, translatable("it has no ID token and access token"))
    return tokens


def refreshed(provider: IdentityProvider, tokens: Tokens) -> Tokens:
    """Returns new tokens in place of these; the ID token is the old one if the provider gives none.

    Raises `EndedThereError` if the session or the user is gone there, `SignOnUnavailable`.
    """
    if tokens.refresh is None:
        raise EndedThereError
    endpoints = endpoints_of(provider)
    try:
        found = _client(provider, endpoints, "").refresh_token(endpoints.token, refresh_token=tokens.refresh)
    except OAuth2Error as error:
        if error.error == "invalid_grant":
            raise EndedThereError from None
        raise SignOnUnavailable(provider.name, gettext("it answered {error}", error=str(error.error)[:100])) from None
    except UNREADABLE:
        raise SignOnUnavailable(provider.name, translatable("its answer cannot be read")) from None
    new = _tokens(found, tokens)
    if new is None:
        raise SignOnUnavailable(provider.name, translatable("its answer has no access token"))
    return new


def userinfo(provider: IdentityProvider, access: str) -> dict[str, Any]:
    """Returns the claims of the token's user. Raises `EndedThereError` if the token is not valid,
    `SignOnUnavailable`."""
    url = endpoints_of(provider).userinfo
    if url is None:
        raise SignOnUnavailable(provider.name, translatable("it has no userinfo endpoint"))
    said = ask(provider.name, "GET", url, headers={"Authorization": f"Bearer {access}"})
    if said.status_code in (401, 403):
        raise EndedThereError
    return said.object()


def _client(provider: IdentityProvider, endpoints: Endpoints, slug: str) -> Any:
    try:
        secret = provider.secret()
    except SecretUnreadableError:
        raise SignOnUnavailable(provider.name, translatable("its client secret cannot be decrypted")) from None
    with_secret = "client_secret_post" if endpoints.secret_in_body else "client_secret_basic"
    return OAuth2Client(
        _Session(provider.name),
        client_id=provider.client_id,
        client_secret=secret,
        token_endpoint_auth_method="none" if secret is None else with_secret,
        scope=provider.scopes,
        redirect_uri=callback_of(slug),
        code_challenge_method="S256",
    )


def _tokens(found: Any, old: Tokens | None) -> Tokens | None:
    """Returns what the answer holds, `None` if it is not as it must be."""
    if not isinstance(found, dict):
        return None
    access, new_id, refresh = (found.get(name) for name in ("access_token", "id_token", "refresh_token"))
    expires_at = found.get("expires_at")  # made of `expires_in` by Authlib
    if not isinstance(access, str) or not access:
        return None
    return Tokens(
        new_id if isinstance(new_id, str) else old.id_token if old else "",
        access,
        refresh if isinstance(refresh, str) else old.refresh if old else None,
        float(expires_at) if isinstance(expires_at, int | float) else None,
    )
