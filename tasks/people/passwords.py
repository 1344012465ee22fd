"""Set a user's password, and change one's own."""

from sqlalchemy.orm import Session

from models import audit, sign_in
from models.access import Actor
from models.passwords import hash_of
from models.people import User
from models.session import transaction
from models.sign_in_failures import forgive
from models.web_sessions import begin_session
from tasks.people.authority import must_manage
from tasks.people.sign_in import Attempt, must_accept_passwords


def set_password(session: Session, actor: Actor, user: User, password: str) -> None:
    """Set the user's password, and end all their sessions.

    Raises `Forbidden`, `UserUnknown`, `PasswordTooShort`, `PasswordsOff`.
    """
    must_manage(actor, user)
    must_accept_passwords(session, user.organization_id)
    sign_in.set_password(session, user, password)
    audit.record(session, actor, "user.password_set", user.id, user.organization_id)


def prove_and_hash(attempt: Attempt, current: str, new: str) -> str:
    """Returns the hash of the new password if the current one is right. Slow, so call it outside a transaction.

    Raises `SignInFailed`, `SignInBusy`, `PasswordTooShort`.
    """
    sign_in.prove(attempt.claim, current)
    return hash_of(new)


def change_own_password(actor: Actor, attempt: Attempt, hashed: str, *, browser: str) -> str:
    """Change the actor's password, and end all their sessions. Returns the token of a new session, for the cookie.

    `attempt` began as a sign-in, so a wrong current password counts as a failed one. Raises `SignInFailed` if the
    account changed in the meantime, `PasswordsOff` if passwords were turned off.
    """
    with transaction() as session:
        user = sign_in.proved_user(session, attempt.claim, None)
        must_accept_passwords(session, user.organization_id)
        forgive(session, attempt.number)
        sign_in.keep_password(session, user.id, hashed)
        audit.record(session, actor, "user.password_set", user.id, user.organization_id)
        return begin_session(session, user, browser)
