"""Signing secrets, encrypted in the database: with a copy of it alone, no one can sign.

The encryption key is derived from `secret_key`. Secrets encrypted with a former key can still be read.

Every command loads this module, with the tables, and few open a secret: so the library is loaded with the first one.
"""

import base64
import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy.orm import Mapped, mapped_column

from config.languages.stored import stored
from config.log import logger
from config.settings import signing_keys

if TYPE_CHECKING:
    from cryptography.fernet import Fernet, MultiFernet

KEPT = timedelta(days=1)  # how long the former secret stays valid beside a new one

log = logger(__name__)


class SecretUnreadableError(Exception):
    """The secret was encrypted with a key that is no longer set."""

    def __init__(self) -> None:
        super().__init__(
            stored(
                "This secret was encrypted with a secret key that is not set. Add that key to "
                "RECOURSE_OLD_SECRET_KEYS, or create a new secret."
            )
        )


def seal(secret: str) -> str:
    """Returns the secret, encrypted with the newest key."""
    return _keys().encrypt(secret.encode()).decode()


def opened(sealed: str) -> str:
    """Returns a secret that was encrypted with any accepted key. Raises `SecretUnreadableError`."""
    from cryptography.fernet import InvalidToken

    try:
        return _keys().decrypt(sealed).decode()
    except InvalidToken:
        raise SecretUnreadableError from None


def is_of_the_newest_key(sealed: str) -> bool:
    """Returns whether the secret can be read without the former keys."""
    from cryptography.fernet import InvalidToken

    try:
        _cipher(signing_keys()[-1]).decrypt(sealed)
    except InvalidToken:
        return False
    return True


def _keys() -> "MultiFernet":
    from cryptography.fernet import MultiFernet

    return MultiFernet([_cipher(key) for key in reversed(signing_keys())])  # it encrypts with the first


def _cipher(key: str) -> "Fernet":
    from cryptography.fernet import Fernet

    return Fernet(base64.urlsafe_b64encode(hmac.digest(key.encode(), b"recourse.sealed", hashlib.sha256)))


def new_secret() -> str:
    """Returns a new signing secret in the format of Standard Webhooks."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


class MayHaveSecret:
    """A table whose rows have one secret, or none."""

    sealed_secret: Mapped[str | None]

    def secret(self) -> str | None:
        """Returns the secret. Raises `SecretUnreadableError`."""
        return None if self.sealed_secret is None else opened(self.sealed_secret)

    def seal_again(self) -> bool:
        """Encrypt the secret with the newest key. Returns whether it was of a former one.

        Raises `SecretUnreadableError`.
        """
        if self.sealed_secret is None or is_of_the_newest_key(self.sealed_secret):
            return False
        self.sealed_secret = seal(opened(self.sealed_secret))
        return True


class HasSecret:
    """A table whose rows have a signing secret, and for a day after a change the former one."""

    sealed_secret: Mapped[str] = mapped_column(default=lambda: seal(new_secret()))
    former_secret: Mapped[str | None]  # also sealed
    former_until: Mapped[datetime | None]

    def secret(self) -> str:
        """Returns the secret. Raises `SecretUnreadableError`."""
        return opened(self.sealed_secret)

    def secrets(self) -> list[str]:
        """Returns the valid secrets, newest first. Logs an unreadable secret, and returns an empty list."""
        former = self.former_until is not None and self.former_until > datetime.now(UTC)
        sealed = [self.sealed_secret, *([self.former_secret] if self.former_secret and former else [])]
        try:
            return [opened(one) for one in sealed]
        except SecretUnreadableError as error:
            log.warning("secret_unreadable", of=f"{type(self).__name__} {getattr(self, 'id', '')}", says=str(error))
            return []

    def renew(self) -> None:
        """Replace the secret; the former one stays valid for a day."""
        self.former_secret, self.former_until = self.sealed_secret, datetime.now(UTC) + KEPT
        self.sealed_secret = seal(new_secret())

    def seal_again(self) -> bool:
        """Encrypt secrets of former keys with the newest one. Returns whether there were any.

        Raises `SecretUnreadableError`.
        """
        changed = False
        for name in ("sealed_secret", "former_secret"):
            sealed = getattr(self, name)
            if sealed and not is_of_the_newest_key(sealed):
                setattr(self, name, seal(opened(sealed)))
                changed = True
        return changed
