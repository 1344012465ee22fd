"""Passwords: somebody else's, and one's own."""

from sqlalchemy.orm import Session

from models import audit, sign_in
from models.access import Actor
from models.people import Organization, User
from models.session import transaction
from tasks.people.authority import must_manage


def set_password(session: Session, actor: Actor, user: User, password: str) -> None:
    """Give a user this password, and end all their sessions. Raises `Forbidden`, `UserUnknown`, `PasswordTooShort`."""
    must_manage(actor, user)
    sign_in.set_password(session, user, password)
    audit.record(session, actor, "user.password_set", user.id, user.organization_id)


def change_own_password(actor: Actor, *, current: str, new: str, address: str, browser: str) -> str:
    """Change one's own password, and end all one's sessions but a new one. Gives its token for the cookie.

    A wrong current password counts as a failed sign-in from the address: in a transaction of its own, before it is
    looked at. Raises `SignInFailed`, `SignInThrottled`, `PasswordTooShort`.
    """
    with transaction() as session:
        email = session.get_one(User, actor.user_id).email
        slug = session.get_one(Organization, actor.organization_id).slug
        attempt = sign_in.begin_attempt(session, slug, email, address)
    with transaction() as session:
        user = sign_in.check_password(session, slug, email, current)
        sign_in.forgive(session, attempt)
        sign_in.set_password(session, user, new)
        audit.record(session, actor, "user.password_set", user.id, user.organization_id)
        return sign_in.begin_session(session, user, browser)
