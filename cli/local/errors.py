"""What goes wrong with the local servers, in sentences for the person at the console."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class LocalServersError(Exception):
    """The servers cannot be had. The message is for people and says what to do next."""


NO_SPACE = "No space left on device"


def disk_full(folder: Path) -> str:
    """What to say where the disk with the database in this folder is full."""
    return f"The database's disk is full, in {folder}. Free some space there, and try again. Nothing was changed."


@contextmanager
def plain_errors(home: Path) -> Iterator[None]:
    """Turn what the system says, such as a full disk, into a sentence about this folder."""
    try:
        yield
    except OSError as error:
        raise LocalServersError(
            f"The servers' folder {home} cannot be used: {error}. Free some space there or put its "
            "permissions right, or set RECOURSE_DATABASE_URL and RECOURSE_BROKER_URL to servers of your own."
        ) from error
