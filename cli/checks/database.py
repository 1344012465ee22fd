"""The database: it answers, has the right version, and can write."""

import psycopg

from cli.checks.finding import AwayError, FaultyError, Places, start_or_check
from config.database import without_password
from config.settings import required
from models.disks import full_disk, write_a_megabyte
from models.session import DBAPIError, engine, in_words, is_connection_lost
from models.versions import server_version

OLDEST_POSTGRES = 180_000


def check(_: Places) -> str:
    url = without_password(required("database_url"))
    try:
        with engine().connect() as connection:
            number, version = server_version(connection)
    except DBAPIError as error:
        if full_disk(error):
            raise FaultyError(*_disk_full(url)) from None
        why = str(error.orig).strip().splitlines()[0] if is_connection_lost(error) else in_words(error)
        raise AwayError(f"{url} does not answer: {why}", start_or_check("PostgreSQL", "database_url")) from None
    if number < OLDEST_POSTGRES:
        raise FaultyError(f"{url} is PostgreSQL {version}", "Use PostgreSQL 18 or newer.")
    _check_writing(url)
    return f"PostgreSQL {version} at {url}"


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
