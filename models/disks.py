"""A disk that is full, told apart from whatever else goes wrong: somebody has to free some space, and where."""

import errno
import os
import tempfile
from collections.abc import Iterator

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from models.refusals.files import StorageFull

FULL = {errno.ENOSPC, errno.EDQUOT}
_SAID = ("os error 28)", "os error 122)")  # how the library of the storage says the same
_MEGABYTE = """
CREATE TEMPORARY TABLE recourse_probe ON COMMIT DROP AS SELECT repeat('x', 1000) AS text FROM generate_series(1, 1000)
"""


def full_disk(error: BaseException) -> str | None:
    """Which disk is full, in words that follow “is”; none if something else went wrong."""
    for one in _causes(error):
        driver = one.orig if isinstance(one, DBAPIError) else one
        refused = isinstance(driver, psycopg.OperationalError) and os.strerror(errno.ENOSPC) in str(driver)
        if isinstance(driver, psycopg.errors.DiskFull) or refused:  # the driver gives no code to a refused connection
            return "the database's"
        if isinstance(one, StorageFull):
            return "that of the storage of files"
        if isinstance(one, OSError) and one.errno in FULL:
            return f"that of {one.filename or 'temporary files, ' + tempfile.gettempdir()}"
    return None


def write_a_megabyte(connection: Connection) -> None:
    """Have the database write a megabyte to its disk, and roll it back."""
    connection.execute(text(_MEGABYTE))
    connection.rollback()


def is_storage_full(error: BaseException) -> bool:
    """Whether the storage says that its disk is full, or the quota used up."""
    return getattr(error, "errno", None) in FULL or any(words in str(error) for words in _SAID)


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
