"""Lock files. The kernel releases the locks of a process when it ends, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.local.errors import LocalServersError
from cli.local.processes import START_LIMIT, STOP_LIMIT, wait_until

LOCK_LIMIT = START_LIMIT + STOP_LIMIT + 30


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the exclusive lock in the scope. Raises `LocalServersError` if other holders keep it too long."""
    lock = open_lock(path)
    try:
        if not wait_until(lambda: take_alone(lock), LOCK_LIMIT):
            raise LocalServersError(
                f"Another command has been starting or stopping the servers of {path.parent} for more than "
                f"{LOCK_LIMIT / 60:.0f} minutes. End it and try again."
            )
        yield
    finally:
        os.close(lock)


def share(path: Path) -> int:
    """Take the shared lock. Returns the file descriptor; closing it releases the lock."""
    lock = open_lock(path)
    fcntl.flock(lock, fcntl.LOCK_SH)
    return lock


def take_alone(lock: int) -> bool:
    """Take the exclusive lock if no other process holds the lock. Returns whether it did."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_held_alone(path: Path) -> bool:
    """Returns whether a process holds the exclusive lock."""
    lock = open_lock(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def open_lock(path: Path) -> int:
    """Returns a file descriptor of the lock file, without taking the lock."""
    # Child programs do not inherit it (PEP 446), so a server never holds a lock.
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
