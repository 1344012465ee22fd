"""Talking to PostgreSQL: one transaction per scope, and messages only after its commit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import cast

import psycopg
import structlog
from sqlalchemy import CursorResult, Engine, UpdateBase, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from sqlalchemy.orm import Session

from config.database import app_connection
from config.settings import required

# `Session` and the errors are for the web app and the commands, which import nothing of SQLAlchemy themselves.
__all__ = [
    "MOST_CONNECTIONS",
    "DBAPIError",
    "NoConnectionError",
    "Session",
    "after_commit",
    "changed_rows",
    "check_database",
    "engine",
    "forget_engine",
    "in_words",
    "is_connection_lost",
    "is_lock_timeout",
    "is_unstorable",
    "savepoint",
    "transaction",
]

log = structlog.get_logger(__name__)

MOST_CONNECTIONS = 15  # of one process
_KEPT_OPEN = 5


@lru_cache(maxsize=1)
def engine() -> Engine:
    """The engine of this process, made at its first use.

    A connection must not be shared with a forked child: the worker calls `forget_engine` after each fork.
    """
    return create_engine(
        required("database_url"),
        pool_pre_ping=True,
        hide_parameters=True,  # an error is logged and stored, and the parameters may be about people
        pool_size=_KEPT_OPEN,
        max_overflow=MOST_CONNECTIONS - _KEPT_OPEN,
        connect_args=app_connection(),
    )


def forget_engine(*, close: bool = True) -> None:
    """Drop the engine; the next use makes a new one. `close=False` leaves connections of a parent process alone."""
    if engine.cache_info().currsize:
        engine().dispose(close=close)
    engine.cache_clear()


def check_database() -> None:
    """Query one of the product's tables. Raises `DBAPIError` if the server or the table cannot be reached."""
    with engine().connect() as connection:
        connection.execute(text("SELECT 1 FROM reset LIMIT 1"))


@contextmanager
def transaction() -> Iterator[Session]:
    """A session whose work is committed at the end of the scope, or rolled back whole if the scope raises.

    What was handed to `after_commit` runs once the commit is done, and is dropped with a rollback.
    """
    with Session(engine(), expire_on_commit=False) as session:
        with session.begin():
            yield session
        for call in session.info.pop("after_commit", []):
            call()


@contextmanager
def savepoint(session: Session) -> Iterator[None]:
    """A part of the transaction that is undone by itself if it raises, with the messages that it would have sent."""
    messages = len(session.info.get("after_commit", []))
    try:
        with session.begin_nested():
            yield
    except BaseException:
        del session.info.get("after_commit", [])[messages:]
        raise


def after_commit(session: Session, call: Callable[[], object]) -> None:
    """Have `call` run when the session's transaction is committed.

    For messages: one that is sent earlier may arrive before the rows it speaks of. A call that raises is logged and
    left: the rows are the truth, and `recover` sends again what they say is open.
    """

    def guarded() -> None:
        try:
            call()
        except Exception as error:
            log.warning("publish_failed", error=f"{type(error).__name__}: {error}", remedy="recover sends it again")

    session.info.setdefault("after_commit", []).append(guarded)


def changed_rows(session: Session, statement: UpdateBase) -> int:
    """Run an INSERT, UPDATE or DELETE and give the number of rows it changed; loaded objects are not refreshed."""
    result = session.execute(statement, execution_options={"synchronize_session": False, "preserve_rowcount": True})
    return cast("CursorResult[tuple[()]]", result).rowcount


def is_lock_timeout(error: DBAPIError) -> bool:
    """Whether somebody else held the row for longer than we wait."""
    return isinstance(error.orig, psycopg.errors.LockNotAvailable)


def is_connection_lost(error: Exception) -> bool:
    """Whether there is no connection to the database (any more): nobody's fault whose work it was."""
    if not isinstance(error, DBAPIError):
        return False
    # What the server itself says has a code; without one it said nothing, unless the driver refused to send a value.
    said_nothing = getattr(error.orig, "sqlstate", None) is None and not isinstance(error.orig, psycopg.DataError)
    return error.connection_invalidated or said_nothing


def is_unstorable(error: DBAPIError) -> bool:
    """Whether a value was refused for what it is: a character that text cannot hold, a number beyond its column."""
    return isinstance(error.orig, psycopg.DataError)


def in_words(error: Exception) -> str:
    """An error as it may be kept and shown: what went wrong, without the values of the rows it went wrong with."""
    driver = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(driver, psycopg.Error):
        return f"{type(driver).__name__}: {driver.diag.message_primary or 'the connection was lost'}"
    return type(error).__name__
