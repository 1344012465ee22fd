"""ID tokens (OpenID Connect Core 1.0, 3.1.3.7) and logout tokens (Back-Channel Logout 1.0, 2.6)."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import BadSignatureError, ClaimError, ExpiredTokenError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from config.languages import gettext, translatable
from models.refusals.sign_on import SignOnFailed
from models.sign_on import IdentityProvider, Tokens
from tasks.sign_on.endpoints import keys_of

T = TypeVar("T")

SKEW = 120  # seconds that the provider's clock may differ from ours
LOGOUT_SECONDS = 600  # how old a logout token may be
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
# No symmetric ones, for which a public key could pass as the secret; and never “none”.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
REGISTRY = JWSRegistry(
    algorithms=ALGORITHMS, strict_check_header=False
)  # unknown headers are ignored, as RFC 7515 says


@dataclass(frozen=True)
class LogoutToken:
    """Which sessions ended at the provider: one, or all of a user."""

    subject: str | None
    sid: str | None
    issued_at: float


def id_token_claims(provider: IdentityProvider, tokens: Tokens, nonce: str | None = None) -> dict[str, Any]:
    """Returns the claims of an ID token that the provider issued to us, just now. With `nonce`, for this sign-in.

    Raises `SignOnFailed`, `SignOnUnavailable`.
    """
    found = _signed(provider, tokens.id_token)
    claims = CodeIDToken(
        found.claims,
        found.header,
        {"iss": {"essential": True, "value": provider.issuer}, "aud": {"essential": True, "value": provider.client_id}},
        {"nonce": nonce, "client_id": provider.client_id, "access_token": tokens.access},
    )
    _checked(provider, lambda: claims.validate(leeway=SKEW))
    if not claims["sub"]:
        raise SignOnFailed(provider.name, translatable("it does not say who the user is"))
    return dict(claims)


def logout_token(provider: IdentityProvider, text: str) -> LogoutToken:
    """Returns what a logout token says. Raises `SignOnFailed`, `SignOnUnavailable`."""
    found = _signed(provider, text)
    claims = found.claims
    needed = jwt.JWTClaimsRegistry(
        leeway=SKEW,
        iss={"essential": True, "value": provider.issuer},
        aud={"essential": True, "value": provider.client_id},
        iat={"essential": True},
        exp={"essential": True},
        jti={"essential": True},
    )
    _checked(provider, lambda: needed.validate(claims))
    events, subject, sid = claims.get("events"), claims.get("sub"), claims.get("sid")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT), dict) or "nonce" in claims:
        raise SignOnFailed(provider.name, translatable("it is not a logout token"))
    if not (isinstance(subject, str) or isinstance(sid, str)) or claims["iat"] < time.time() - LOGOUT_SECONDS:
        raise SignOnFailed(provider.name, translatable("it names no session, or is too old"))
    return LogoutToken(
        subject if isinstance(subject, str) else None, sid if isinstance(sid, str) else None, claims["iat"]
    )


def _signed(provider: IdentityProvider, text: str) -> jwt.Token:
    """Returns the token, whose signature is the provider's. Keys change: an unknown one is looked up once."""
    try:
        return jwt.decode(text, _key_set(provider), registry=REGISTRY)
    except InvalidKeyIdError:
        newest = _key_set(provider, newest=True)
        return _checked(provider, lambda: jwt.decode(text, newest, registry=REGISTRY))
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise _refusal(provider, error) from None


def _key_set(provider: IdentityProvider, *, newest: bool = False) -> KeySet:
    keys = keys_of(provider, newest=newest)
    return _checked(provider, lambda: KeySet.import_key_set({"keys": keys["keys"]}))


def _checked(provider: IdentityProvider, check: Callable[[], T]) -> T:
    try:
        return check()
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _refusal(provider, error) from None


def _refusal(provider: IdentityProvider, error: Exception) -> SignOnFailed:
    """Returns the refusal, which says which check failed and nothing of the token."""
    match error:
        case ExpiredTokenError():
            why: str = translatable("it has expired")
        case ClaimError():
            why = gettext("its claim “{claim}” is missing or wrong", claim=error.claim)
        case BadSignatureError():
            why = translatable("its signature is wrong")
        case InvalidKeyIdError():
            why = translatable("it is signed with an unknown key")
        case _:
            why = translatable("it is malformed")
    return SignOnFailed(provider.name, why)
