"""Failed sign-ins, which limit how many passwords someone can guess."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Identity, Index, LargeBinary, delete, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base
from models.refusals.sign_in import SignInThrottled
from models.token_hash import hash_of

# Failures allowed within the window
FAILURES_ALLOWED = 8  # for one account from one source
FAILURES_ALLOWED_FOR_ACCOUNT = 40  # for one account from all unknown sources: a guess from many addresses
FAILURES_ALLOWED_FROM_ADDRESS = 40  # from one address for all accounts: one password tried on many
FAILURE_WINDOW = timedelta(minutes=15)


class SignInFailure(Base):
    """A failed sign-in, counted for the account and for its source: an address, or a browser that has signed in to
    this account before."""

    __tablename__ = "sign_in_failure"
    __table_args__ = (Index(None, "account", "at"), Index(None, "address", "at"), Index(None, "at"))

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    account: Mapped[bytes] = mapped_column(LargeBinary)  # hashed: users type passwords into the wrong field
    address: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


@dataclass(frozen=True)
class Source:
    """Where a sign-in comes from."""

    address: str
    browser: str | None = None  # the browser's mark, if it has signed in to the account before

    @property
    def counted_as(self) -> str:
        """The name that failures are counted under."""
        return f"browser {self.browser}" if self.browser else self.address


def begin_attempt(session: Session, slug: str, email: str, source: Source) -> int:
    """Count a sign-in as failed before its password is checked, so that simultaneous guesses count too.

    Commit this before the check; `forgive` takes it back. Returns the attempt's number. Raises `SignInThrottled`.
    """
    account = account_of(slug, email)
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(account.hex(), 0))))
    _throttle(session, account, source)
    attempt = SignInFailure(account=account, address=source.counted_as)
    session.add(attempt)
    session.flush()
    return attempt.id


def forgive(session: Session, attempt: int) -> None:
    """Delete an attempt that did not fail."""
    session.execute(delete(SignInFailure).where(SignInFailure.id == attempt))


def account_of(slug: str, email: str) -> bytes:
    """Returns the hash that stands for an account in failures, whether the account exists or not."""
    return hash_of(f"{slug}\n{email.lower()}")


def _throttle(session: Session, account: bytes, source: Source) -> None:
    recent = SignInFailure.at > func.now() - FAILURE_WINDOW
    of_account, from_here = SignInFailure.account == account, SignInFailure.address == source.counted_as
    for_account_from_here, for_account, from_address = session.execute(
        select(
            func.count().filter(of_account, from_here),
            func.count().filter(of_account),
            func.count().filter(from_here),
        ).where(recent, or_(of_account, from_here))
    ).one()
    too_many = for_account_from_here >= FAILURES_ALLOWED
    if source.browser is None:  # failures of strangers must not lock out a known browser
        too_many |= for_account >= FAILURES_ALLOWED_FOR_ACCOUNT or from_address >= FAILURES_ALLOWED_FROM_ADDRESS
    if too_many:
        raise SignInThrottled(int(FAILURE_WINDOW.total_seconds()))
