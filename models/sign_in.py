"""Signing in: passwords, the sessions of browsers, and the failures that slow down a guesser."""

import hashlib
import secrets
from datetime import datetime, timedelta
from functools import lru_cache

from pwdlib import PasswordHash
from sqlalchemy import ColumnElement, ForeignKey, Identity, Index, LargeBinary, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base
from models.people import Organization, User
from models.refusals import PasswordTooShort, SignInFailed, SignInThrottled

SHORTEST_PASSWORD = 12  # NIST SP 800-63B asks for 8 at the least, and for no other rule
SESSION_IDLE = timedelta(hours=8)
SESSION_LONGEST = timedelta(days=7)
FAILURES_ALLOWED = 8  # an account within the window; an address may fail for several accounts
FAILURES_ALLOWED_FROM_ADDRESS = 40
FAILURE_WINDOW = timedelta(minutes=15)


class Credential(Base):
    """The password of a user who may sign in, as its Argon2id hash. Apart from the user, so that no query of people
    ever carries it."""

    __tablename__ = "credential"

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True)
    password_hash: Mapped[str]
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class WebSession(Base):
    """A signed-in browser. The cookie holds a random token, the database only its hash."""

    __tablename__ = "web_session"
    __table_args__ = (Index(None, "user_id"), Index(None, "seen_at"))

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    began_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    browser: Mapped[str]  # as it names itself: so that its owner can tell their sessions apart


class SignInFailure(Base):
    """One failed sign-in, counted against the account that was tried and against where it came from."""

    __tablename__ = "sign_in_failure"
    __table_args__ = (Index(None, "account", "at"), Index(None, "address", "at"), Index(None, "at"))

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    account: Mapped[bytes] = mapped_column(LargeBinary)  # hashed: a password typed into the wrong field stays secret
    address: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


def set_password(session: Session, user: User, password: str) -> None:
    """Give the user this password, and end all their sessions. Raises `PasswordTooShort`."""
    if len(password) < SHORTEST_PASSWORD:
        raise PasswordTooShort(SHORTEST_PASSWORD)
    hashed = _hasher().hash(password)
    row = insert(Credential).values(user_id=user.id, password_hash=hashed)
    session.execute(
        row.on_conflict_do_update(
            index_elements=[Credential.user_id],
            set_={"password_hash": row.excluded.password_hash, "changed_at": func.now()},
        )
    )
    end_sessions(session, user.id)


def begin_attempt(session: Session, slug: str, email: str, address: str) -> int:
    """Count an attempt to sign in as failed, before it is known to be: guesses that come at once are counted too.

    To be committed before `check_password`; `forgive` takes it back. `address` is where the request came from. Gives
    the attempt's number. Raises `SignInThrottled`.
    """
    account = account_of(slug, email)
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(account.hex(), 0))))
    _throttle(session, account, address)
    attempt = SignInFailure(account=account, address=address)
    session.add(attempt)
    session.flush()
    return attempt.id


def forgive(session: Session, attempt: int) -> None:
    """The attempt did not fail."""
    session.execute(delete(SignInFailure).where(SignInFailure.id == attempt))


def check_password(session: Session, slug: str, email: str, password: str) -> User:
    """The user whom these belong to. Raises `SignInFailed`."""
    user = session.scalar(
        select(User)
        .join(Organization, Organization.id == User.organization_id)
        .where(Organization.slug == slug, func.lower(User.email) == email.lower(), User.active)
    )
    credential = session.get(Credential, user.id) if user else None
    # An unknown account takes as long as a wrong password, so that time does not tell which accounts there are.
    stored = credential.password_hash if credential else _nobodys_hash()
    right, better_hash = _hasher().verify_and_update(password, stored)
    if user is None or credential is None or not right:
        raise SignInFailed
    if better_hash is not None:  # the library has raised its costs since
        credential.password_hash = better_hash
    return user


def begin_session(session: Session, user: User, browser: str) -> str:
    """A new session of the user's. Gives the token for the cookie, which is stored nowhere."""
    token = secrets.token_urlsafe(32)
    session.add(WebSession(token_hash=hash_of(token), user_id=user.id, browser=browser[:200]))
    return token


def user_of_session(session: Session, token: str) -> User | None:
    """Who is signed in with this token; nobody if it ended, idled for too long, or its user is deactivated."""
    user = session.scalar(
        select(User)
        .join(WebSession, WebSession.user_id == User.id)
        .where(WebSession.token_hash == hash_of(token), User.active, ~_is_over())
    )
    if user is not None:
        session.execute(  # once a minute is enough to know that it is not idle
            update(WebSession)
            .where(
                WebSession.token_hash.in_(  # another request that is at it right now does it as well
                    select(WebSession.token_hash)
                    .where(
                        WebSession.token_hash == hash_of(token), WebSession.seen_at < func.now() - timedelta(minutes=1)
                    )
                    .with_for_update(skip_locked=True)
                )
            )
            .values(seen_at=func.now())
            .execution_options(synchronize_session=False)
        )
    return user


def end_session(session: Session, token: str) -> None:
    """Sign out one browser."""
    session.execute(delete(WebSession).where(WebSession.token_hash == hash_of(token)))


def end_sessions(session: Session, user_id: int) -> None:
    """Sign the user out everywhere."""
    session.execute(delete(WebSession).where(WebSession.user_id == user_id))


def hash_of(token: str) -> bytes:
    """How a random token is stored. It has 256 bits of chance, so a slow hash would add nothing."""
    return hashlib.sha256(token.encode()).digest()


def _throttle(session: Session, account: bytes, address: str) -> None:
    lately = SignInFailure.at > func.now() - FAILURE_WINDOW
    of_account, of_address = SignInFailure.account == account, SignInFailure.address == address
    for_account, from_address = session.execute(
        select(func.count().filter(of_account), func.count().filter(of_address)).where(
            lately, or_(of_account, of_address)
        )
    ).one()
    if for_account >= FAILURES_ALLOWED or from_address >= FAILURES_ALLOWED_FROM_ADDRESS:
        raise SignInThrottled(int(FAILURE_WINDOW.total_seconds()))


def _is_over() -> ColumnElement[bool]:
    return or_(
        WebSession.seen_at < func.now() - SESSION_IDLE,
        WebSession.began_at < func.now() - SESSION_LONGEST,
    )


def account_of(slug: str, email: str) -> bytes:
    """How failures of an account are found, whether there is one or not."""
    return hash_of(f"{slug}\n{email.lower()}")


@lru_cache(maxsize=1)
def _hasher() -> PasswordHash:
    return PasswordHash.recommended()


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    return _hasher().hash(secrets.token_urlsafe(16))
