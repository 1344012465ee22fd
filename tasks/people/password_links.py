"""Links with which users choose their password: made by an administrator, valid for a day, and used once.

Nothing of a link is stored. It tells how the account was when it was made, so it ends when any password is set, when
the address or the permissions change, and when the user is removed, even if they come back.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from config.links import choosing_password, password_link
from models import audit
from models.access import Actor, actor_for
from models.audit import AuditEntry
from models.people import User
from models.refusals.people import UserUnknown
from models.refusals.sign_in import PasswordLinkOver
from models.sign_in import Credential, keep_password
from models.web_sessions import begin_session
from tasks.people.authority import must_manage
from tasks.people.sign_in import must_accept_passwords

VALID = timedelta(hours=24)


@dataclass(frozen=True)
class NewLink:
    """A link that is shown once."""

    link: str
    expires_at: datetime


def make_password_link(session: Session, actor: Actor, user: User) -> NewLink:
    """Returns a link with which the user chooses a password. Whoever has it can sign in as the user.

    Raises `Forbidden`, `UserUnknown`, also if they are deactivated; `PasswordsOff`.
    """
    must_manage(actor, user)
    if not user.active:
        raise UserUnknown(user.email)
    must_accept_passwords(session, user.organization_id)
    audit.record(session, actor, "user.password_link_made", user.id, user.organization_id)
    expires_at = datetime.now(UTC) + VALID  # from before, so that it is never later than the link's own end
    return NewLink(password_link(user.id, _current(session, user)), expires_at)


def user_of_link(session: Session, token: str, *, lock: bool = False) -> User:
    """Returns the user who may choose a password with this link. Raises `PasswordLinkOver`, `PasswordsOff`."""
    found = choosing_password(token, int(VALID.total_seconds()))
    user = None if found is None else session.get(User, found[0], with_for_update={"key_share": True} if lock else None)
    if found is None or user is None or not user.active or _current(session, user) != found[1]:
        raise PasswordLinkOver(int(VALID.total_seconds()) // 3600)
    must_accept_passwords(session, user.organization_id)
    return user


def choose_password(session: Session, token: str, hashed: str, *, browser: str) -> str:
    """Set the password of the link's user, and end their sessions. Returns the token of a new one, for the cookie.

    Hash the password before, outside of the transaction. Raises `PasswordLinkOver`, `PasswordsOff`.
    """
    user = user_of_link(session, token, lock=True)
    keep_password(session, user.id, hashed)
    audit.record(session, actor_for(user), "user.password_set", user.id, user.organization_id)
    return begin_session(session, user, browser)


def _current(session: Session, user: User) -> str:
    """Returns what tells the account as it is from how it was or will be, without saying anything about it."""
    credential = session.get(Credential, user.id, populate_existing=True)
    changed = None if credential is None else credential.changed_at.isoformat()
    removed = (AuditEntry.subject == str(user.id)) & (AuditEntry.action == "user.removed")
    last_removal = session.scalar(select(func.max(AuditEntry.id)).where(removed))  # takes the password away
    now = [changed, user.email.lower(), sorted(user.permissions), last_removal]
    return sha256(json.dumps(now).encode()).hexdigest()
