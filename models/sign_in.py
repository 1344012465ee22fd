"""Signing in: passwords, the sessions of browsers, and the failures that slow down a guesser."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, ForeignKey, Identity, Index, LargeBinary, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models import passwords
from models.base import Base
from models.people import Organization, User
from models.refusals.sign_in import SignInFailed, SignInThrottled

SESSION_IDLE = timedelta(hours=8)
SESSION_LONGEST = timedelta(days=7)
FAILURES_ALLOWED = 8  # for one account from one place, within the window
FAILURES_ALLOWED_FOR_ACCOUNT = 40  # from all strange places together: who guesses from many
FAILURES_ALLOWED_FROM_ADDRESS = 40  # for all accounts together: who tries one password on many
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
    """One failed sign-in, counted against the account that was tried and against where it came from: an address, or a
    browser in which somebody has signed in to this account before."""

    __tablename__ = "sign_in_failure"
    __table_args__ = (Index(None, "account", "at"), Index(None, "address", "at"), Index(None, "at"))

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    account: Mapped[bytes] = mapped_column(LargeBinary)  # hashed: a password typed into the wrong field stays secret
    address: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


@dataclass(frozen=True)
class Source:
    """Where an attempt to sign in comes from."""

    address: str
    browser: str | None = None  # its mark, if the account was signed in to in it before

    @property
    def counted_as(self) -> str:
        """What its failures are counted against."""
        return f"browser {self.browser}" if self.browser else self.address


@dataclass(frozen=True)
class Claim:
    """Who somebody says they are: the account that they name, if there is one, and its password's hash."""

    user_id: int | None
    stored: str | None


def set_password(session: Session, user: User, password: str) -> None:
    """Give the user this password, and end all their sessions. It holds the session's connection while it hashes, so
    it is for the command line. Raises `PasswordTooShort`."""
    keep_password(session, user.id, passwords.hash_of(password))


def keep_password(session: Session, user_id: int, hashed: str) -> None:
    """Give the user the password of this hash, which `passwords.hash_of` made, and end all their sessions."""
    row = insert(Credential).values(user_id=user_id, password_hash=hashed)
    session.execute(
        row.on_conflict_do_update(
            index_elements=[Credential.user_id],
            set_={"password_hash": row.excluded.password_hash, "changed_at": func.now()},
        )
    )
    end_sessions(session, user_id)


def begin_attempt(session: Session, slug: str, email: str, source: Source) -> int:
    """Count an attempt to sign in as failed, before it is known to be: guesses that come at once are counted too.

    To be committed before `prove`; `forgive` takes it back. Gives the attempt's number. Raises `SignInThrottled`.
    """
    account = account_of(slug, email)
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(account.hex(), 0))))
    _throttle(session, account, source)
    attempt = SignInFailure(account=account, address=source.counted_as)
    session.add(attempt)
    session.flush()
    return attempt.id


def forgive(session: Session, attempt: int) -> None:
    """The attempt did not fail."""
    session.execute(delete(SignInFailure).where(SignInFailure.id == attempt))


def claim_of(session: Session, slug: str, email: str) -> Claim:
    """What is to be proved with a password, by whoever names this account."""
    found = session.execute(
        select(User.id, Credential.password_hash)
        .join(Organization, Organization.id == User.organization_id)
        .join(Credential, Credential.user_id == User.id)
        .where(Organization.slug == slug, User.has_address(email), User.active)
    ).one_or_none()
    return Claim(*found) if found else Claim(None, None)


def prove(claim: Claim, password: str) -> str | None:
    """Nothing if the password is the account's, or a better hash of it. Outside of any transaction, since it takes its
    time. Raises `SignInFailed`, `SignInBusy`."""
    right, better_hash = passwords.verified(password, claim.stored)
    if claim.user_id is None or not right:
        raise SignInFailed
    return better_hash


def proved_user(session: Session, claim: Claim, better_hash: str | None) -> User:
    """The user whose claim was proved, if it still holds: a deactivation or a new password may have come meanwhile.
    Raises `SignInFailed`."""
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


def sessions_of(session: Session, user_id: int) -> list[WebSession]:
    """The user's sessions, the one seen last first."""
    mine = select(WebSession).where(WebSession.user_id == user_id).order_by(WebSession.seen_at.desc())
    return list(session.scalars(mine))


def end_session(session: Session, token: str) -> None:
    """Sign out one browser."""
    session.execute(delete(WebSession).where(WebSession.token_hash == hash_of(token)))


def end_sessions(session: Session, user_id: int) -> None:
    """Sign the user out everywhere."""
    session.execute(delete(WebSession).where(WebSession.user_id == user_id))


def hash_of(token: str) -> bytes:
    """How a random token is stored. It has 256 bits of chance, so a slow hash would add nothing."""
    return hashlib.sha256(token.encode()).digest()


def account_of(slug: str, email: str) -> bytes:
    """An account as failures know it: hashed, whether there is one or not."""
    return hash_of(f"{slug}\n{email.lower()}")


def _throttle(session: Session, account: bytes, source: Source) -> None:
    lately = SignInFailure.at > func.now() - FAILURE_WINDOW
    of_account, from_here = SignInFailure.account == account, SignInFailure.address == source.counted_as
    for_account_from_here, for_account, from_address = session.execute(
        select(
            func.count().filter(of_account, from_here),
            func.count().filter(of_account),
            func.count().filter(from_here),
        ).where(lately, or_(of_account, from_here))
    ).one()
    too_many = for_account_from_here >= FAILURES_ALLOWED
    if source.browser is None:  # a stranger's failures hold up strangers, and not who was here before
        too_many |= for_account >= FAILURES_ALLOWED_FOR_ACCOUNT or from_address >= FAILURES_ALLOWED_FROM_ADDRESS
    if too_many:
        raise SignInThrottled(int(FAILURE_WINDOW.total_seconds()))


def _is_over() -> ColumnElement[bool]:
    return or_(
        WebSession.seen_at < func.now() - SESSION_IDLE,
        WebSession.began_at < func.now() - SESSION_LONGEST,
    )
