"""Running one migration at a time, and waiting for locks without blocking the application."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from models.versions import DatabaseUnfitError

LOCK_TIMEOUT = "1s"  # how long the application may queue behind a migration that waits for a lock
PATIENCE_SECONDS = 600.0
_LONGEST_PAUSE = 10.0
_LOCK = 7242637

Say = Callable[[str], object]


@contextmanager
def turn(connection: Connection, say: Say) -> Iterator[None]:
    """Wait for other migrations to end, and make others wait until the end of the scope.

    It polls for the lock: a statement that waits for it would be an open transaction, for which a concurrent index
    build in the other migration would wait.
    """
    lock = text("SELECT pg_try_advisory_lock(:lock)").bindparams(lock=_LOCK)
    announced = False
    while not _own_transaction(connection, lock):
        if not announced:
            say("Another migration is running. Waiting for it to end.")
            announced = True
        time.sleep(0.2)
    try:
        yield
    finally:
        if not connection.invalidated:
            connection.rollback()
            _own_transaction(connection, text("SELECT pg_advisory_unlock(:lock)").bindparams(lock=_LOCK))


def patiently(connection: Connection, migrate: Callable[[], None], say: Say) -> None:
    """Run the migrations, and try again if a lock is not free. Migrations that are done stay done.

    Raises `DatabaseUnfitError` after ten minutes of failed attempts.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    pause = 0.5
    while True:
        try:
            return migrate()
        except DBAPIError as error:
            if not isinstance(error.orig, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected):
                raise
            connection.rollback()
            who = _longest_transaction(connection)
            if time.monotonic() > end:
                raise DatabaseUnfitError(
                    f"A table to be changed stayed locked for ten minutes. {who}"
                    "Wait until it ends, or end it, then run `recourse database upgrade` again."
                ) from None
            say(f"A table to be changed is locked. Trying again in {pause:.0f} s. {who}".strip())
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _longest_transaction(connection: Connection) -> str:
    found = text("""
        SELECT pid, coalesce(nullif(application_name, ''), usename, 'unknown'), extract(epoch FROM now() - xact_start)
        FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
        ORDER BY xact_start LIMIT 1
    """)
    row = connection.execute(found).one_or_none()
    connection.rollback()
    return f"The longest transaction is that of process {row[0]} ({row[1]}), for {row[2]:,.0f} s. " if row else ""


def _own_transaction(connection: Connection, query: object) -> bool:
    found = bool(connection.scalar(query))  # type: ignore[call-overload]
    connection.commit()
    return found
