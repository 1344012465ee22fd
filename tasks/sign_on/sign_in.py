"""Sign in at the organization's provider: begin, prove what comes back, finish.

Proving waits for the provider, so it is apart from the transaction that finishes.
"""

import hmac
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select

from config.languages import translatable
from models import audit
from models.access import actor_for
from models.refusals.sign_on import SignOnExpired, SignOnFailed, SignOnUnknown
from models.sealing import SecretUnreadableError, opened, seal
from models.session import transaction
from models.sign_on import ClaimsFrom, IdentityProvider, ProviderSession, Tokens, provider_of
from models.token_hash import hash_of
from models.web_sessions import begin_session, end_session
from tasks.sign_on.client import EndedThereError, authorization_url, tokens_for, userinfo
from tasks.sign_on.roles import take_over
from tasks.sign_on.verify import id_token_claims
from tasks.sign_on.who import user_named_by

LONGEST = 600  # seconds between the begin and the end of a sign-in


@dataclass(frozen=True)
class Attempt:
    """A sign-in that has begun. The browser keeps it, encrypted, so that only this browser can finish it."""

    slug: str
    state: str
    nonce: str
    verifier: str
    where: str  # the page to go on to
    began_at: float


@dataclass(frozen=True)
class Proof:
    """Who the provider says has signed in."""

    subject: str
    sid: str | None
    claims: Mapping[str, Any]
    tokens: Tokens


def provider_for(slug: str) -> IdentityProvider:
    """Returns the organization's provider. Raises `SignOnUnknown`."""
    with transaction() as session:
        provider = provider_of(session, slug)
    if provider is None:
        raise SignOnUnknown
    return provider


def begin_sign_on(provider: IdentityProvider, slug: str, where: str) -> tuple[str, str]:
    """Returns the provider's page to send the user to, and what the browser has to keep until they come back.

    Raises `SignOnUnavailable`.
    """
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    url = authorization_url(provider, slug, state=state, nonce=nonce, verifier=verifier)
    return url, seal(json.dumps(asdict(Attempt(slug, state, nonce, verifier, where, time.time()))))


def attempt_of(kept: str, slug: str, state: str) -> Attempt:
    """Returns the attempt that the browser kept, if the provider answers to it. Raises `SignOnExpired`."""
    try:
        attempt = Attempt(**json.loads(opened(kept)))
    except (SecretUnreadableError, ValueError, TypeError):
        raise SignOnExpired from None
    too_late = time.time() - attempt.began_at > LONGEST
    if too_late or attempt.slug != slug or not hmac.compare_digest(attempt.state.encode(), state.encode()):
        raise SignOnExpired
    return attempt


def prove(provider: IdentityProvider, attempt: Attempt, code: str) -> Proof:
    """Returns who has signed in. Waits for the provider, so call it outside of a transaction.

    Raises `SignOnUnavailable`, `SignOnDeclined`, `SignOnFailed`.
    """
    tokens = tokens_for(provider, attempt.slug, code, attempt.verifier)
    by_id = id_token_claims(provider, tokens, attempt.nonce)
    claims: Mapping[str, Any] = by_id
    if provider.claims_from == ClaimsFrom.USERINFO:
        try:
            claims = userinfo(provider, tokens.access)
        except EndedThereError:
            raise SignOnFailed(provider.name, translatable("it refuses to say who the user is")) from None
        if claims.get("sub") != by_id["sub"]:
            raise SignOnFailed(provider.name, translatable("it is about another user"))
    sid = by_id.get("sid")
    return Proof(by_id["sub"], sid if isinstance(sid, str) else None, claims, tokens)


def finish_sign_on(provider: IdentityProvider, proof: Proof, *, browser: str, instead_of: str | None) -> str:
    """Returns the token of a new session, for the cookie. It replaces the session with the token `instead_of`.

    Raises `SignOnNobody`, `SignOnTaken`, `SignOnFailed`; `SignOnExpired` if the provider was changed in the meantime.
    """
    with transaction() as session:
        now = session.scalar(
            select(IdentityProvider)
            .where(IdentityProvider.organization_id == provider.organization_id)
            .with_for_update(read=True)
        )
        if now is None or (now.issuer, now.client_id) != (provider.issuer, provider.client_id):
            raise SignOnExpired
        user = user_named_by(session, now, proof.subject, proof.claims)
        take_over(session, now, user, proof.claims)
        if instead_of:
            end_session(session, instead_of)
        token = begin_session(session, user, browser)
        session.flush()
        session.add(
            ProviderSession(
                token_hash=hash_of(token),
                organization_id=now.organization_id,
                subject=proof.subject,
                sid=proof.sid,
                sealed_tokens=proof.tokens.sealed(),
            )
        )
        audit.record(session, actor_for(user), "user.signed_in", user.id, user.organization_id, by=now.issuer)
        return token
