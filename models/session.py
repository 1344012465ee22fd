"""Database sessions: one transaction per scope, and messages only after its commit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import Any, cast

import psycopg
from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    Engine,
    UpdateBase,
    create_engine,
    func,
    inspect,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from sqlalchemy.orm import InstrumentedAttribute, Session

from config.database import app_connection, in_the_background
from config.log import logger
from config.settings import required
from models.poolers import fit_for_poolers

# The web app and the command line import `Session` and the errors here, and nothing from SQLAlchemy.
__all__ = [
    "MOST_CONNECTIONS",
    "Connection",
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
    "is_servers_trouble",
    "is_unstorable",
    "savepoint",
    "touch",
    "transaction",
]

log = logger(__name__)

MOST_CONNECTIONS = 15  # per process
_KEPT_OPEN = 5


@lru_cache(maxsize=1)
def engine() -> Engine:
    """Returns the engine of this process, created at first use.

    Forked processes must not share connections: the worker calls `forget_engine` after each fork.
    """
    made = create_engine(
        required("database_url"),
        pool_pre_ping=True,
        hide_parameters=True,  # errors are logged and stored, and parameters may be personal data
        pool_size=_KEPT_OPEN,
        max_overflow=MOST_CONNECTIONS - _KEPT_OPEN,
        connect_args=app_connection(),
    )
    fit_for_poolers(made)
    return made


def forget_engine(*, close: bool = True) -> None:
    """Drop the engine; the next use creates another. `close=False` leaves the connections to a parent process."""
    if engine.cache_info().currsize:
        engine().dispose(close=close)
    engine.cache_clear()


def check_database() -> None:
    """Query one of the product's tables. Raises `DBAPIError` if the server or the table cannot be reached."""
    with engine().connect() as connection:
        connection.execute(text("SELECT 1 FROM reset LIMIT 1"))


@contextmanager
def transaction(*, durable: bool = True) -> Iterator[Session]:
    """Provide a session that is committed at the end of the scope, or rolled back if the scope raises.

    Calls passed to `after_commit` run after the commit, and are dropped with a rollback. If not `durable`, the commit
    does not wait for the disk: a crash of the server may undo it, as a whole, with those after it.
    """
    with Session(engine(), expire_on_commit=False) as session:
        with session.begin():
            if not durable:
                session.execute(text(in_the_background()))
            yield session
        for call in session.info.pop("after_commit", []):
            call()


@contextmanager
def savepoint(session: Session) -> Iterator[None]:
    """Roll back only this part of the transaction, and drop its messages, if the scope raises."""
    messages = len(session.info.get("after_commit", []))
    try:
        with session.begin_nested():
            yield
    except BaseException:
        del session.info.get("after_commit", [])[messages:]
        raise


def limit_statements(session: Session, seconds: float) -> None:
    """Have each further statement of the transaction raise `DBAPIError` if it takes, or waits for a lock, that long."""
    most = text("SELECT set_config('statement_timeout', :most, true), set_config('lock_timeout', :most, true)")
    session.execute(most, {"most": f"{round(seconds * 1000)}ms"})


def after_commit(session: Session, call: Callable[[], object]) -> None:
    """Run `call` once the session's transaction is committed.

    For messages: sent earlier, one could arrive before its rows. A call that raises is only logged, since `recover`
    sends again what the rows say is open.
    """

    def guarded() -> None:
        try:
            call()
        except Exception as error:
            log.warning("publish_failed", error=f"{type(error).__name__}: {error}", remedy="recover sends it again")

    session.info.setdefault("after_commit", []).append(guarded)


def changed_rows(session: Session, statement: UpdateBase) -> int:
    """Run an INSERT, UPDATE or DELETE. Returns how many rows it changed. Does not refresh loaded objects."""
    result = session.execute(statement, execution_options={"synchronize_session": False, "preserve_rowcount": True})
    return cast("CursorResult[tuple[()]]", result).rowcount


def touch(session: Session, moment: InstrumentedAttribute[Any], row: ColumnElement[bool]) -> None:
    """Set the moment of the row to now, if it is more than a minute old and no other transaction is doing the same."""
    (key,) = inspect(moment.class_).primary_key
    old = (
        select(key)
        .where(row, or_(moment.is_(None), moment < func.now() - timedelta(minutes=1)))
        .with_for_update(skip_locked=True)
    )
    changed_rows(session, update(moment.class_).where(key.in_(old)).values({moment.key: func.now()}))


def is_lock_timeout(error: DBAPIError) -> bool:
    """Returns whether another session held the lock for longer than `lock_timeout_seconds`."""
    return isinstance(error.orig, psycopg.errors.LockNotAvailable)


def is_connection_lost(error: Exception) -> bool:
    """Returns whether the connection to the database failed or was lost, rather than the work itself."""
    if not isinstance(error, DBAPIError):
        return False
    # Errors of the server have a code. One without a code is a lost connection, or a value that the driver refused.
    no_answer = getattr(error.orig, "sqlstate", None) is None and not isinstance(error.orig, psycopg.DataError)
    return error.connection_invalidated or no_answer


def is_servers_trouble(error: Exception) -> bool:
    """Returns whether the error says nothing about the rows: the connection was lost, or the server has no disk, memory
    or connections left, or accepts no writes."""
    if is_connection_lost(error):
        return True
    state = getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
    # PostgreSQL's classes “insufficient resources” and “system error”, and “read only transaction”
    return state is not None and (state[:2] in ("53", "58") or state == "25006")


def is_unstorable(error: DBAPIError) -> bool:
    """Returns whether a value does not fit its column: a character that text cannot hold, or a number out of range."""
    return isinstance(error.orig, psycopg.DataError)


def in_words(error: Exception) -> str:
    """Returns the error as text that may be stored and shown, without values of rows."""
    driver = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(driver, psycopg.Error):
        return f"{type(driver).__name__}: {driver.diag.message_primary or 'the connection was lost'}"
    return type(error).__name__
