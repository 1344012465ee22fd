"""Sign in and out. Neither is in the audit: what is kept of it are the sessions there are, and the failures that slow
down a guesser.

Signing in takes three steps, so that nobody holds a connection while a password is hashed: `begin_sign_in`, then
`models.sign_in.prove`, then `finish_sign_in`, or `take_back` where the password could not be looked at.
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from models import audit
from models.access import Actor
from models.session import transaction
from models.sign_in import Claim, claim_of, proved_user
from models.sign_in_failures import Source, begin_attempt, forgive
from models.web_sessions import begin_session, end_session, end_sessions


@dataclass(frozen=True)
class Attempt:
    """An attempt to sign in that counts as failed until it is finished or taken back."""

    number: int
    claim: Claim


def begin_sign_in(slug: str, email: str, source: Source) -> Attempt:
    """Count the attempt as failed before it is known to be: guesses that come at once are counted too.

    Raises `SignInThrottled`.
    """
    with transaction() as session:
        return Attempt(begin_attempt(session, slug, email, source), claim_of(session, slug, email))


def finish_sign_in(attempt: Attempt, better_hash: str | None, *, browser: str, instead_of: str | None) -> str:
    """Return the token of a new session, for the cookie, in place of the session whose token the browser has.

    Raises `SignInFailed` where the claim does not hold any more.
    """
    with transaction() as session:
        user = proved_user(session, attempt.claim, better_hash)
        forgive(session, attempt.number)
        if instead_of:
            end_session(session, instead_of)
        return begin_session(session, user, browser)


def take_back(attempt: Attempt) -> None:
    """Count the attempt no longer: its password was not looked at."""
    with transaction() as session:
        forgive(session, attempt.number)


def sign_out(session: Session, token: str) -> None:
    """End one browser's session."""
    end_session(session, token)


def sign_out_everywhere(session: Session, actor: Actor) -> None:
    """End all of one's own sessions."""
    assert actor.user_id is not None
    end_sessions(session, actor.user_id)
    audit.record(session, actor, "user.signed_out_everywhere", actor.user_id, actor.organization_id)
