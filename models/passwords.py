"""Argon2id hashes of passwords. Each takes 64 MiB and a tenth of a second of processor time, which slows down guessing.
So only a few are computed at a time, and callers hold no database connection meanwhile."""

import secrets
from collections.abc import Callable
from functools import lru_cache
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, TypeVar

from models.refusals.sign_in import PasswordTooShort, SignInBusy

if TYPE_CHECKING:
    from pwdlib import PasswordHash

SHORTEST = 12  # NIST SP 800-63B requires at least 8, and no other rule
AT_ONCE = 2  # per process: 128 MiB. More would be no faster, since one hash uses several cores
PATIENCE = 20.0  # longest wait for a turn, in seconds

T = TypeVar("T")

_turns = BoundedSemaphore(AT_ONCE)


def hash_of(password: str) -> str:
    """Returns the hash of a new password. Raises `PasswordTooShort`, `SignInBusy`."""
    if len(password) < SHORTEST:
        raise PasswordTooShort(SHORTEST)
    return _in_turn(lambda: _hasher().hash(password))


def verified(password: str, stored: str | None) -> tuple[bool, str | None]:
    """Returns whether the password matches the hash, and a better hash if the library has raised its costs since.

    Without a hash, it takes the same time, so that response times do not reveal accounts. Raises `SignInBusy`.
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
def _hasher() -> "PasswordHash":
    from pwdlib import PasswordHash  # the tables are loaded by every command, and few hash anything

    return PasswordHash.recommended()


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    return _hasher().hash(secrets.token_urlsafe(16))
