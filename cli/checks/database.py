"""The database: it answers, has the right version, and can write."""

import psycopg

from cli.checks.finding import AwayError, FaultyError, Places, start_or_check
from config.database import without_password
from config.settings import required
from models.disks import full_disk, write_a_megabyte
from models.poolers import is_pooled, prepares_statements
from models.session import Connection, DBAPIError, engine, in_words, is_connection_lost
from models.versions import OLDEST_POSTGRES, SUPPORTED_POSTGRES, server_version


def check(_: Places) -> str:
    url = without_password(required("database_url"))
    try:
        with engine().connect() as connection:
            major, version = server_version(connection)
            through = _pooler(connection)
    except DBAPIError as error:
        if full_disk(error):
            raise FaultyError(*_disk_full(url)) from None
        why = str(error.orig).strip().splitlines()[0] if is_connection_lost(error) else in_words(error)
        raise AwayError(f"{url} does not answer: {why}", start_or_check("PostgreSQL", "database_url")) from None
    if major < OLDEST_POSTGRES:
        raise FaultyError(f"{url} is PostgreSQL {version}", f"Use a supported version: {SUPPORTED_POSTGRES}.")
    _check_writing(url)
    return f"PostgreSQL {version} at {url}{through}; {SUPPORTED_POSTGRES} are supported"


def _pooler(connection: Connection) -> str:
    if not is_pooled(connection):
        return ""
    return f", through a pooler, {'with' if prepares_statements(connection) else 'without'} prepared statements"


def _check_writing(url: str) -> None:
    try:
        with engine().connect() as connection:
            write_a_megabyte(connection)
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            return  # this role may not create temporary tables, and need not
        if full_disk(error):
            raise FaultyError(*_disk_full(url)) from None
        raise FaultyError(f"{url} cannot write: {in_words(error)}", "Look at the database's log.") from None


def _disk_full(url: str) -> tuple[str, str]:
    return f"{url} cannot write: its disk is full", "Free some space on the disk with the database's data."
