"""Secrets that are kept encrypted: whoever reads the database, or a backup, cannot sign with them.

They are encrypted with a key made from `secret_key`; what a former key has encrypted can still be read.
"""

import base64
import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta

import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy.orm import Mapped, mapped_column

from config.settings import signing_keys

KEPT = timedelta(days=1)  # how long the secret before is good, beside a new one

log = structlog.get_logger(__name__)


class SecretUnreadableError(Exception):
    """It was encrypted with a key that is not set any more."""

    def __init__(self) -> None:
        super().__init__(
            "This secret was encrypted with a secret key that is not set. Put that key into RECOURSE_OLD_SECRET_KEYS, "
            "or make a new secret."
        )


def seal(secret: str) -> str:
    """The secret, encrypted with the newest key."""
    return _keys().encrypt(secret.encode()).decode()


def opened(sealed: str) -> str:
    """What was sealed, by whichever key. Raises `SecretUnreadableError`."""
    try:
        return _keys().decrypt(sealed).decode()
    except InvalidToken:
        raise SecretUnreadableError from None


def is_of_the_newest_key(sealed: str) -> bool:
    """Whether it is readable without the former keys."""
    try:
        _cipher(signing_keys()[-1]).decrypt(sealed)
    except InvalidToken:
        return False
    return True


def _keys() -> MultiFernet:
    return MultiFernet([_cipher(key) for key in reversed(signing_keys())])  # it encrypts with the first


def _cipher(key: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hmac.digest(key.encode(), b"recourse.sealed", hashlib.sha256)))


def new_secret() -> str:
    """A signing secret in the form of Standard Webhooks."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


class HasSecret:
    """A table whose rows have a signing secret each, and for a day the one before it."""

    sealed_secret: Mapped[str] = mapped_column(default=lambda: seal(new_secret()))
    former_secret: Mapped[str | None]  # sealed, too
    former_until: Mapped[datetime | None]

    def secret(self) -> str:
        """The secret. Raises `SecretUnreadableError`."""
        return opened(self.sealed_secret)

    def secrets(self) -> list[str]:
        """Those that are good now, the newest first; none where the key is gone, which the log says."""
        former = self.former_until is not None and self.former_until > datetime.now(UTC)
        sealed = [self.sealed_secret, *([self.former_secret] if self.former_secret and former else [])]
        try:
            return [opened(one) for one in sealed]
        except SecretUnreadableError as error:
            log.warning("secret_unreadable", of=f"{type(self).__name__} {getattr(self, 'id', '')}", says=str(error))
            return []

    def renew(self) -> None:
        """Make a new secret; the one before it is good for another day."""
        self.former_secret, self.former_until = self.sealed_secret, datetime.now(UTC) + KEPT
        self.sealed_secret = seal(new_secret())

    def seal_again(self) -> bool:
        """Encrypt what a former key has encrypted with the newest. Gives whether that was so. Raises
        `SecretUnreadableError`."""
        changed = False
        for name in ("sealed_secret", "former_secret"):
            sealed = getattr(self, name)
            if sealed and not is_of_the_newest_key(sealed):
                setattr(self, name, seal(opened(sealed)))
                changed = True
        return changed
