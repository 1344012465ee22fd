"""Connections through a pooler in transaction mode, such as PgBouncer: it lends a session for one transaction.

So nothing may outlast a transaction in the session: no setting, no temporary table, no advisory lock, no prepared
statement. Only migrations need a session of their own. Where there is no pooler, the session is ours, and has its
limits from the start: a statement in each transaction would cost a round trip.
"""

from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from config.database import limits_of_session, limits_of_transaction
from config.settings import settings

_POOLED = "recourse_pooled"


def fit_for_poolers(engine: Engine) -> None:
    """Make the engine's connections have their time limits and their schema: a session of its own once, and what a
    pooler lends in each transaction. Prepare no statements where a pooler might mix them up.

    Celery calls it too, for the engine of its results.
    """
    of_session, of_transaction = limits_of_session(), limits_of_transaction()

    @event.listens_for(engine, "connect")
    def fit(connection: psycopg.Connection[Any], record: ConnectionPoolEntry) -> None:
        connection.autocommit = True
        record.info[_POOLED] = pooled = _is_pooled(connection)
        if not pooled:
            connection.execute(of_session.encode())
        connection.autocommit = False
        wanted = settings().prepared_statements
        if wanted == "off" or (wanted == "auto" and pooled):
            connection.prepare_threshold = None

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.info[_POOLED]:
            connection.exec_driver_sql(of_transaction).close()


def is_pooled(connection: Connection) -> bool:
    """Returns whether a pooler is between us and the database."""
    driver = _driver(connection)
    pooled = _is_pooled(driver)
    driver.rollback()
    return pooled


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
    return row is not None and row[0] != connection.info.backend_pid
