"""Passwords as Argon2id hashes. Each takes 64 MiB and a tenth of a second of processor time, which is what makes
guessing dear; so only few are worked on at once, and whoever wants one holds no database connection meanwhile."""

import secrets
from collections.abc import Callable
from functools import lru_cache
from threading import BoundedSemaphore
from typing import TypeVar

from pwdlib import PasswordHash

from models.refusals.sign_in import PasswordTooShort, SignInBusy

SHORTEST = 12  # NIST SP 800-63B asks for 8 at the least, and for no other rule
AT_ONCE = 2  # in a process: 128 MiB. More would gain nothing, since one hash uses several cores
PATIENCE = 20.0  # seconds to wait for one's turn

T = TypeVar("T")

_turns = BoundedSemaphore(AT_ONCE)


def hash_of(password: str) -> str:
    """The hash to keep of a new password. Raises `PasswordTooShort`, `SignInBusy`."""
    if len(password) < SHORTEST:
        raise PasswordTooShort(SHORTEST)
    return _in_turn(lambda: _hasher().hash(password))


def verified(password: str, stored: str | None) -> tuple[bool, str | None]:
    """Whether the password is that of the hash, and a better hash where the library has raised its costs since.

    Without a hash it takes as long, so that time does not tell which accounts there are. Raises `SignInBusy`.
    """
    return _in_turn(lambda: _hasher().verify_and_update(password, stored or _nobodys_hash()))


def _in_turn(work: Callable[[], T]) -> T:
    if not _turns.acquire(timeout=PATIENCE):
        raise SignInBusy
    try:
        return work()
    finally:
        _turns.release()


@lru_cache(maxsize=1)
def _hasher() -> PasswordHash:
    return PasswordHash.recommended()


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    return _hasher().hash(secrets.token_urlsafe(16))
