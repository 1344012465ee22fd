"""Signing in with a password."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models import passwords
from models.base import Base
from models.people import Organization, User
from models.refusals.sign_in import SignInFailed
from models.web_sessions import end_sessions


class Credential(Base):
    """The password of a user, as an Argon2id hash. A table of its own, so that no query of users carries it."""

    __tablename__ = "credential"

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True)
    password_hash: Mapped[str]
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


@dataclass(frozen=True)
class Claim:
    """The account that someone wants to sign in to, if it exists, and its password hash."""

    user_id: int | None
    stored: str | None


def set_password(session: Session, user: User, password: str) -> None:
    """Set the user's password, and end all their sessions. Raises `PasswordTooShort`.

    For the command line only: it holds the database connection while it hashes.
    """
    keep_password(session, user.id, passwords.hash_of(password))


def keep_password(session: Session, user_id: int, hashed: str) -> None:
    """Store a password hash that `passwords.hash_of` made, and end all sessions of the user."""
    row = insert(Credential).values(user_id=user_id, password_hash=hashed)
    session.execute(
        row.on_conflict_do_update(
            index_elements=[Credential.user_id],
            set_={"password_hash": row.excluded.password_hash, "changed_at": func.now()},
        )
    )
    end_sessions(session, user_id)


def claim_of(session: Session, slug: str, email: str) -> Claim:
    """Returns what `prove` checks a password against."""
    found = session.execute(
        select(User.id, Credential.password_hash)
        .join(Organization, Organization.id == User.organization_id)
        .join(Credential, Credential.user_id == User.id)
        .where(Organization.slug == slug, User.has_address(email), User.active)
    ).one_or_none()
    return Claim(*found) if found else Claim(None, None)


def prove(claim: Claim, password: str) -> str | None:
    """Check the password. Returns a better hash of it, `None` if the stored one is good enough.

    Call it outside a transaction, since hashing takes time. Raises `SignInFailed`, `SignInBusy`.
    """
    right, better_hash = passwords.verified(password, claim.stored)
    if claim.user_id is None or not right:
        raise SignInFailed
    return better_hash


def proved_user(session: Session, claim: Claim, better_hash: str | None) -> User:
    """Returns the user of a proved claim, and stores the better hash, if there is one.

    Raises `SignInFailed` if the user was deactivated or the password changed in the meantime.
    """
    user = session.scalar(
        select(User)
        .join(Credential, Credential.user_id == User.id)
        .where(User.id == claim.user_id, User.active, Credential.password_hash == claim.stored)
    )
    if user is None:
        raise SignInFailed
    if better_hash is not None:
        session.get_one(Credential, user.id).password_hash = better_hash
    return user
