"""Ask the provider again about a session: whether it still vouches for the user, and which roles they have.

Three steps, of which only the second waits for the provider: `take_check`, `ask_again`, `settle_check`. One process
asks about a session at a time, since a provider may take a refresh token once only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

from sqlalchemy import func, or_, select, update

from config.log import logger
from models import audit
from models.people import User
from models.refusals.sign_on import SignOnFailed, SignOnUnavailable
from models.session import Session, transaction
from models.sign_on import ClaimsFrom, IdentityProvider, ProviderSession, Tokens, user_and_standing
from models.token_hash import hash_of
from models.web_sessions import WebSession, end_session
from tasks.sign_on.client import EndedThereError, refreshed, userinfo
from tasks.sign_on.http import SECONDS
from tasks.sign_on.roles import ACTOR, take_over
from tasks.sign_on.verify import id_token_claims

MOST_REQUESTS = 5  # of a check: userinfo, endpoints, new tokens, userinfo again; or endpoints, tokens, keys twice
LEASE = timedelta(seconds=MOST_REQUESTS * SECONDS + 15)  # for the check, and the wait for a thread before it

log = logger(__name__)


class Untaken(Enum):
    """Why there is nothing to check."""

    FRESH = auto()  # it was checked since, or the session is gone
    BUSY = auto()  # another request is checking it


@dataclass(frozen=True)
class Taken:
    """A session that this process checks."""

    token: str
    provider: IdentityProvider
    subject: str
    tokens: Tokens | None  # none: no key can decrypt them
    is_strict: bool
    began_at: datetime


@dataclass(frozen=True)
class Outcome:
    """What the provider said of a session."""

    claims: Mapping[str, Any] | None = None  # none: nothing
    ended: bool = False  # it no longer vouches for it
    tokens: Tokens | None = None  # new ones, to be kept whatever else it said


def take_check(token: str, arrived: datetime) -> Taken | Untaken:
    """Begin to check the session, if that is due for a request that arrived at this time."""
    with transaction(durable=False) as session:
        found = user_and_standing(session, token)
        if found is None or found.standing is None or not found.standing.is_due(arrived):
            return Untaken.FRESH
        standing = found.standing
        mine = session.execute(
            update(ProviderSession)
            .where(
                ProviderSession.token_hash == hash_of(token),
                ProviderSession.checked_at == standing.session.checked_at,
                or_(ProviderSession.busy_until.is_(None), ProviderSession.busy_until < func.now()),
            )
            .values(busy_until=func.clock_timestamp() + LEASE)
            .returning(func.clock_timestamp(), ProviderSession.sealed_tokens)
            .execution_options(synchronize_session=False)
        ).one_or_none()
        if mine is None:
            return Untaken.BUSY
        began_at, sealed = mine
        there = standing.session
        return Taken(token, standing.provider, there.subject, Tokens.unsealed(sealed), standing.is_strict, began_at)


def ask_again(taken: Taken) -> Outcome:
    """Returns what the provider says. Waits for it, so call it outside of a transaction. Raises nothing."""
    tokens, provider = taken.tokens, taken.provider
    if tokens is None:
        return Outcome(ended=True)
    new: Tokens | None = None
    claims: Mapping[str, Any] | None
    try:
        if provider.claims_from == ClaimsFrom.USERINFO:
            try:
                claims = userinfo(provider, tokens.access)
            except EndedThereError:
                tokens = new = refreshed(provider, tokens)
                claims = userinfo(provider, tokens.access)
        else:
            new = refreshed(provider, tokens)
            claims = id_token_claims(provider, new) if new.id_token != tokens.id_token else None
    except EndedThereError:
        # Someone without permissions to lose keeps the session if the provider gives no way to ask for longer.
        return Outcome(tokens=new, ended=taken.is_strict or tokens.refresh is not None)
    except (SignOnUnavailable, SignOnFailed) as refusal:
        log.warning("provider_unavailable", organization=provider.organization_id, says=str(refusal))
        return Outcome(tokens=new)
    if claims is not None and claims.get("sub") != taken.subject:
        return Outcome(tokens=new, ended=True)
    return Outcome(claims, tokens=new)


def settle_check(taken: Taken, outcome: Outcome) -> None:
    """Store what the provider said: the session ends, or its user has the roles that they have there now."""
    with transaction(durable=outcome.tokens is not None or outcome.ended) as session:
        row = session.get(ProviderSession, hash_of(taken.token), with_for_update=True)
        provider = session.get(IdentityProvider, taken.provider.organization_id)
        if row is None or provider is None:  # signed out, or the provider was removed
            return
        if outcome.ended:
            _end(session, taken)
            return
        row.busy_until = None
        if outcome.tokens is not None:
            row.sealed_tokens = outcome.tokens.sealed()
        if outcome.claims is None:
            if taken.is_strict:
                row.failed_at = session.scalars(select(func.clock_timestamp())).one()
            else:  # there is nothing to withhold, so it has time until the next check
                row.checked_at = taken.began_at
            return
        row.checked_at, row.failed_at = taken.began_at, None
        session.flush()
        user = session.scalar(
            select(User).join(WebSession, WebSession.user_id == User.id).where(WebSession.token_hash == row.token_hash)
        )
        if user is not None and take_over(session, provider, user, outcome.claims):
            log.info("permissions_changed", user=user.id, permissions=user.permissions)


def _end(session: Session, taken: Taken) -> None:
    user_id = session.scalar(select(WebSession.user_id).where(WebSession.token_hash == hash_of(taken.token)))
    end_session(session, taken.token)
    audit.record(session, ACTOR, "user.signed_out_by_provider", user_id, taken.provider.organization_id, sessions=1)
