"""The servers and the up-to-date database that a command needs. Starts what is missing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.local import LocalServers
from cli.local.secrets import kept_secret
from cli.terminal import dim_note, notes
from cli.workers import Workers
from config.misspelled import misspelled
from config.settings import settings
from models.session import engine, forget_engine
from models.versions import DatabaseUnfitError, current_version, is_later, newest_migration, stranger
from tasks.at_start import check_record_kinds

DATABASE_URLS = ("RECOURSE_DATABASE_URL", "RECOURSE_MIGRATION_DATABASE_URL")


class DatabaseBehindError(Exception):
    """The database's tables are older than this program."""


@contextmanager
def servers_and_database(
    home: Path | None = None, *, migrate: bool = False, whose: str = "for this command"
) -> Iterator[Workers]:
    """Provide the servers and the database for one command. In the scope, settings and sessions use them.

    With `home`, the servers are in that folder, whatever the settings say. A local database is migrated, an operator's
    is only checked. With `migrate` it is neither, since the command does so itself. `whose` says whom servers that had
    to be started are for. Raises `LocalServersError`, `DatabaseBehindError`, `DatabaseUnfitError`,
    `RecordKindUnfitError`.
    """
    before = dict(os.environ)
    for sentence in misspelled():
        notes.print(sentence, style="yellow")
    if home is not None:
        os.environ["RECOURSE_STORAGE_URL"] = (home.absolute() / "files").as_uri()
    local_database = home is not None or settings().database_url is None
    local_broker = home is not None or settings().broker_url is None
    home = (home or settings().home).absolute()
    with LocalServers(home, postgres=local_database, redis=local_broker) as servers:
        urls = servers.start()
        if servers.started:
            dim_note(f"Started {' and '.join(servers.started)} {whose}".rstrip() + ".")
        if local_database:
            os.environ |= dict.fromkeys(DATABASE_URLS, urls.database)
            if settings().secret_key is None:
                os.environ["RECOURSE_SECRET_KEY"] = kept_secret(home, "secret_key")
        if local_broker:
            os.environ["RECOURSE_BROKER_URL"] = urls.broker
        if before != os.environ:
            read_settings_again()
        if not migrate:
            _bring_up_to_date(may_migrate=local_database)
            check_record_kinds()
        broker_is_new = any(name.startswith(("Redis", "Valkey")) for name in servers.started)
        workers = Workers(home / "worker.log", servers, may_run=not broker_is_new)
        if settings().otlp_endpoint:
            from tasks.tracing import start_tracing  # loads all tasks, which takes time

            start_tracing("recourse-cli")
        try:
            yield workers
        finally:
            workers.stop()
            forget_engine()


@contextmanager
def using_database(url: str) -> Iterator[None]:
    """Use this database for sessions and migrations in the scope."""
    before = {name: value for name in DATABASE_URLS if (value := os.environ.get(name)) is not None}
    os.environ |= dict.fromkeys(DATABASE_URLS, url)
    read_settings_again()
    try:
        yield
    finally:
        for name in DATABASE_URLS:
            del os.environ[name]
        os.environ |= before
        read_settings_again()


def read_settings_again() -> None:
    """Apply what was put into the environment."""
    forget_engine()
    settings.cache_clear()


def _bring_up_to_date(*, may_migrate: bool) -> None:
    newest = newest_migration()
    with engine().connect() as connection:
        current = current_version(connection)
        wrong = None if current else stranger(connection, schema_was_chosen=settings().database_schema is not None)
    if current == newest or (current and is_later(current)):  # while a later release is rolled out
        return
    if wrong:
        raise DatabaseUnfitError(wrong)
    if not may_migrate:
        at = f"is at migration {current}" if current else "has no tables yet"
        raise DatabaseBehindError(f"The database {at}. This program needs {newest}. Run `recourse database upgrade`.")
    from models.migrations.run import upgrade  # loads Alembic

    upgrade(dim_note)
