"""Errors of the local servers, as sentences for the operator."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class LocalServersError(Exception):
    """The servers cannot be used. The message says what to do."""


NO_SPACE = "No space left on device"


def disk_full(folder: Path) -> str:
    """Returns the sentence for a full disk of the database in this folder."""
    return f"The database's disk is full, in {folder}. Free some space there, and try again. Nothing was changed."


@contextmanager
def plain_errors(home: Path) -> Iterator[None]:
    """Turn an `OSError`, such as a full disk, into a sentence about this folder."""
    try:
        yield
    except OSError as error:
        raise LocalServersError(
            f"The servers' folder {home} cannot be used: {error}. Free some space there or correct its "
            "permissions, or set RECOURSE_DATABASE_URL and RECOURSE_BROKER_URL to servers of your own."
        ) from error
