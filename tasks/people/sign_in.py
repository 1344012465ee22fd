"""Sign in with a password, and sign out. Neither is in the audit: only open sessions are kept, and failures, which slow
down guessing.

Signing in takes three steps, so that hashing a password holds no connection: `begin_sign_in`, then
`models.sign_in.prove`, then `finish_sign_in`, or `take_back` if the password could not be checked.
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from models import audit
from models.access import Actor
from models.refusals.sign_on import PasswordsOff
from models.session import transaction
from models.sign_in import Claim, claim_of, proved_user
from models.sign_in_failures import Source, begin_attempt, forgive
from models.sign_on import passwords_off_by, provider_of
from models.web_sessions import begin_session, end_session, end_sessions


@dataclass(frozen=True)
class Attempt:
    """An attempt to sign in, which counts as failed until it is finished or taken back."""

    number: int
    claim: Claim


def begin_sign_in(slug: str, email: str, source: Source) -> Attempt:
    """Begin an attempt, which counts as failed from now on, so that concurrent guesses count too.

    Raises `SignInThrottled`, `PasswordsOff`.
    """
    with transaction() as session:
        provider = provider_of(session, slug)
        if provider is not None and provider.passwords_off:
            raise PasswordsOff(provider.name)
        return Attempt(begin_attempt(session, slug, email, source), claim_of(session, slug, email))


def finish_sign_in(attempt: Attempt, better_hash: str | None, *, browser: str, instead_of: str | None) -> str:
    """Returns the token of a new session, for the cookie. It replaces the session with the token `instead_of`.

    Raises `SignInFailed` if the account changed in the meantime, `PasswordsOff` if passwords were turned off.
    """
    with transaction() as session:
        user = proved_user(session, attempt.claim, better_hash)
        must_accept_passwords(session, user.organization_id)
        forgive(session, attempt.number)
        if instead_of:
            end_session(session, instead_of)
        return begin_session(session, user, browser)


def must_accept_passwords(session: Session, organization_id: int) -> None:
    """Raise `PasswordsOff` if the organization turned passwords off. They stay on until the end of the transaction."""
    provider = passwords_off_by(session, organization_id)
    if provider is not None:
        raise PasswordsOff(provider.name)


def take_back(attempt: Attempt) -> None:
    """Stop counting the attempt as failed, because its password was not checked."""
    with transaction() as session:
        forgive(session, attempt.number)


def sign_out(session: Session, token: str) -> None:
    """End the session of one browser."""
    end_session(session, token)


def sign_out_everywhere(session: Session, actor: Actor) -> None:
    """End all sessions of the actor."""
    assert actor.user_id is not None
    end_sessions(session, actor.user_id)
    audit.record(session, actor, "user.signed_out_everywhere", actor.user_id, actor.organization_id)
