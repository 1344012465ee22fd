"""Connections through a pooler in transaction mode, such as PgBouncer: it lends a session for one transaction.

So nothing may outlast a transaction in the session: no setting, no temporary table, no advisory lock, no prepared
statement. Only migrations need a session of their own.
"""

from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, event

from config.database import start_of_transaction
from config.settings import settings


def fit_for_poolers(engine: Engine) -> None:
    """Make each transaction of the engine begin with its time limits and its schema, and prepare no statements where a
    pooler might mix them up. Celery calls it too, for the engine of its results."""
    start = start_of_transaction()

    @event.listens_for(engine, "connect")
    def fit(connection: psycopg.Connection[Any], _: object) -> None:
        wanted = settings().prepared_statements
        if wanted == "off" or (wanted == "auto" and _is_pooled(connection)):
            connection.prepare_threshold = None

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(start).close()


def is_pooled(connection: Connection) -> bool:
    """Returns whether a pooler is between us and the database."""
    return _is_pooled(_driver(connection))


def prepares_statements(connection: Connection) -> bool:
    """Returns whether the connection uses prepared statements."""
    return _driver(connection).prepare_threshold is not None


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def _is_pooled(connection: psycopg.Connection[Any]) -> bool:
    # A pooler cannot know the server's process when it accepts a connection, so it makes up a number.
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    connection.rollback()
    return row is not None and row[0] != connection.info.backend_pid
