"""Passwords: somebody else's, and one's own."""

from sqlalchemy.orm import Session

from models import audit, sign_in
from models.access import Actor
from models.passwords import hash_of
from models.people import User
from models.session import transaction
from models.sign_in_failures import forgive
from models.web_sessions import begin_session
from tasks.people.authority import must_manage
from tasks.people.sign_in import Attempt


def set_password(session: Session, actor: Actor, user: User, password: str) -> None:
    """Give a user this password, and end all their sessions. Raises `Forbidden`, `UserUnknown`, `PasswordTooShort`."""
    must_manage(actor, user)
    sign_in.set_password(session, user, password)
    audit.record(session, actor, "user.password_set", user.id, user.organization_id)


def prove_and_hash(attempt: Attempt, current: str, new: str) -> str:
    """Return the hash of the new password, if the current one is right. Takes its time, so in no transaction.

    Raises `SignInFailed`, `SignInBusy`, `PasswordTooShort`.
    """
    sign_in.prove(attempt.claim, current)
    return hash_of(new)


def change_own_password(actor: Actor, attempt: Attempt, hashed: str, *, browser: str) -> str:
    """Change one's own password, and end all one's sessions but a new one. Returns its token, for the cookie.

    `attempt` was begun as for a sign-in: a wrong current password counts as one that failed. Raises `SignInFailed`
    where the account was changed meanwhile.
    """
    with transaction() as session:
        user = sign_in.proved_user(session, attempt.claim, None)
        forgive(session, attempt.number)
        sign_in.keep_password(session, user.id, hashed)
        audit.record(session, actor, "user.password_set", user.id, user.organization_id)
        return begin_session(session, user, browser)
