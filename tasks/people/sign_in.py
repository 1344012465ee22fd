"""Sign in and out. Neither is in the audit: what is kept of it are the sessions there are, and the failures that slow
down a guesser."""

from sqlalchemy.orm import Session

from models import audit
from models.access import Actor
from models.session import transaction
from models.sign_in import begin_attempt, begin_session, check_password, end_session, end_sessions, forgive


def sign_in(slug: str, email: str, password: str, *, address: str, browser: str, instead_of: str | None) -> str:
    """A new session, in place of the one whose token the browser has. Gives its token for the cookie.

    The attempt is counted as failed before it is known to be, in a transaction of its own: guesses that come at once
    are counted too. Raises `SignInFailed`, `SignInThrottled`.
    """
    with transaction() as session:
        attempt = begin_attempt(session, slug, email, address)
    with transaction() as session:
        user = check_password(session, slug, email, password)
        forgive(session, attempt)
        if instead_of:
            end_session(session, instead_of)
        return begin_session(session, user, browser)


def sign_out(session: Session, token: str) -> None:
    """End one browser's session."""
    end_session(session, token)


def sign_out_everywhere(session: Session, actor: Actor) -> None:
    """End all of one's own sessions."""
    assert actor.user_id is not None
    end_sessions(session, actor.user_id)
    audit.record(session, actor, "user.signed_out_everywhere", actor.user_id, actor.organization_id)
