"""Recognizing a full disk among other errors, so that someone knows where to free space."""

import errno
import os
import tempfile
from collections.abc import Iterator

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from config.languages.stored import stored
from models.refusals.files import StorageFull

OF_FILE = stored("that of {file}")
OF_FOLDER = stored("that of temporary files, {folder}")
FULL = {errno.ENOSPC, errno.EDQUOT}
_STORAGE_FULL = ("os error 28)", "os error 122)")  # in messages of the storage library
_MEGABYTE = """
CREATE TEMPORARY TABLE recourse_probe ON COMMIT DROP AS SELECT repeat('x', 1000) AS text FROM generate_series(1, 1000)
"""


def full_disk(error: BaseException) -> str | None:
    """Returns which disk is full, as words that follow “is”, to be told; `None` if the error is another one."""
    for one in _causes(error):
        driver = one.orig if isinstance(one, DBAPIError) else one
        refused = isinstance(driver, psycopg.OperationalError) and os.strerror(errno.ENOSPC) in str(driver)
        if isinstance(driver, psycopg.errors.DiskFull) or refused:  # a refused connection has no error code
            return stored("the database's")
        if isinstance(one, StorageFull):
            return stored("that of the storage of files")
        if isinstance(one, OSError) and one.errno in FULL:
            return OF_FILE.format(file=one.filename) if one.filename else OF_FOLDER.format(folder=tempfile.gettempdir())
    return None


def write_a_megabyte(connection: Connection) -> None:
    """Have the database write a megabyte to its disk, and roll it back."""
    connection.execute(text(_MEGABYTE))
    connection.rollback()


def is_storage_full(error: BaseException) -> bool:
    """Returns whether the storage reports a full disk or an exceeded quota."""
    return getattr(error, "errno", None) in FULL or any(words in str(error) for words in _STORAGE_FULL)


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
