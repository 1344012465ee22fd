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
    lock = _open(path)
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
    lock = _open(path)
    fcntl.flock(lock, fcntl.LOCK_SH)
    return lock


def take_alone(lock: int) -> bool:
    """Hold this lock alone, if nobody else holds it. Returns whether that is so."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open(path: Path) -> int:
    # Python opens files so that programs started later do not inherit them: the servers never hold a lock.
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
