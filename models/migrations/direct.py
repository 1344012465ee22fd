"""Connections for migrations: with a session of their own, for their time limits, their lock and their index builds."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from models.poolers import is_pooled
from models.versions import DatabaseUnfitError

_A_POOLER = (
    "This address is that of a pooler, and migrations need the database's own. Set RECOURSE_MIGRATION_DATABASE_URL to "
    "the address of the database itself, as the owner of the tables."
)
_REFUSED_BY_A_POOLER = "unsupported startup parameter"  # our options, by PgBouncer


@contextmanager
def direct_connection(engine: Engine) -> Iterator[Connection]:
    """Connect to the database itself. Raises `DatabaseUnfitError` if the address is that of a pooler."""
    try:
        connection = engine.connect()
    except DBAPIError as error:
        if _REFUSED_BY_A_POOLER in str(error.orig):
            raise DatabaseUnfitError(_A_POOLER) from None
        raise
    with connection:
        if is_pooled(connection):
            raise DatabaseUnfitError(_A_POOLER)
        yield connection
