"""Sign out at the provider too (RP-Initiated Logout 1.0), and here when a session ended there (Back-Channel Logout
1.0)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from authlib.common.urls import add_params_to_uri
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from models import audit
from models.refusals.sign_on import SignOnUnavailable
from models.session import transaction
from models.sign_on import IdentityProvider, ProviderSession, Tokens
from models.token_hash import hash_of
from models.web_sessions import WebSession
from tasks.sign_on.client import signed_out_address
from tasks.sign_on.endpoints import endpoints_of
from tasks.sign_on.roles import ACTOR
from tasks.sign_on.verify import SKEW, LogoutToken

LONGEST = 6000  # characters of an address; beyond that, the user is not named in it


@dataclass(frozen=True)
class There:
    """A session at a provider."""

    provider: IdentityProvider
    id_token: str | None


def session_there(session: Session, token: str) -> There | None:
    """Returns the provider's side of a session, `None` if it began here."""
    found = session.execute(
        select(ProviderSession, IdentityProvider)
        .join(IdentityProvider, IdentityProvider.organization_id == ProviderSession.organization_id)
        .where(ProviderSession.token_hash == hash_of(token))
    ).one_or_none()
    if found is None:
        return None
    row, provider = found
    tokens = Tokens.unsealed(row.sealed_tokens)
    return There(provider, tokens.id_token if tokens else None)


def sign_out_page(there: There) -> str | None:
    """Returns the provider's page that ends the session there. `None` if it has none or cannot be reached.

    May wait for the provider, so call it outside of a transaction.
    """
    try:
        page = endpoints_of(there.provider).end_session
    except SignOnUnavailable:
        return None
    if page is None:
        return None
    named = {"client_id": there.provider.client_id, "post_logout_redirect_uri": signed_out_address()}
    hint = [("id_token_hint", there.id_token)] if there.id_token and len(there.id_token) < LONGEST else []
    return str(add_params_to_uri(page, [*hint, *named.items()]))


def end_as_told(provider: IdentityProvider, told: LogoutToken) -> int:
    """End the sessions that ended at the provider. Returns how many.

    Those that began after the token was issued stay, so that a copy of it is worth nothing later.
    """
    until = datetime.fromtimestamp(told.issued_at, UTC) + timedelta(seconds=SKEW)
    with transaction() as session:
        which = select(ProviderSession.token_hash).where(ProviderSession.organization_id == provider.organization_id)
        if told.sid is not None:
            which = which.where(ProviderSession.sid == told.sid)
        if told.subject is not None:
            which = which.where(ProviderSession.subject == told.subject)
        ended = session.scalars(
            delete(WebSession)
            .where(WebSession.token_hash.in_(which), WebSession.began_at <= until)
            .returning(WebSession.user_id)
            .execution_options(synchronize_session=False)
        ).all()
        for user_id in sorted(set(ended)):
            count = ended.count(user_id)
            audit.record(
                session, ACTOR, "user.signed_out_by_provider", user_id, provider.organization_id, sessions=count
            )
    return len(ended)
