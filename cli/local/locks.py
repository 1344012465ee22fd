"""Files that are locks: the kernel gives them back when a process dies, however it dies."""

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
    """Hold this lock file alone, after everybody who came before."""
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
    """Hold this lock file together with others, until what is returned is closed."""
    lock = open_lock(path)
    fcntl.flock(lock, fcntl.LOCK_SH)
    return lock


def take_alone(lock: int) -> bool:
    """Hold this lock alone, if nobody else holds it. Returns whether that is so."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_held_alone(path: Path) -> bool:
    """Whether somebody holds this lock alone at this moment."""
    lock = open_lock(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def open_lock(path: Path) -> int:
    """The lock file, not held yet; to be closed."""
    # Python opens files so that programs started later do not inherit them: the servers never hold a lock.
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
