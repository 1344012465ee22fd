"""What a command needs around it: servers, and a database that is up to date. It starts what is missing."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from cli.local import LocalServers
from cli.migrations import newest_migration, upgrade
from cli.terminal import notes
from cli.workers import Workers
from config.misspelled import misspelled
from config.settings import settings
from models.session import engine, forget_engine
from models.versions import DatabaseUnfitError, current_version, stranger
from tasks.at_start import check_record_kinds

DATABASE_URLS = ("RECOURSE_DATABASE_URL", "RECOURSE_MIGRATION_DATABASE_URL")


class DatabaseBehindError(Exception):
    """The database's tables are older or newer than this program."""


@contextmanager
def surroundings(home: Path | None = None, *, migrate: bool = False) -> Iterator[Workers]:
    """The servers and the database for one command; in the scope, settings and sessions use them.

    `home` is a folder other than that of the settings, for servers of its own whatever the settings say. A database of
    the installation's own is brought up to date; one of the operator's is not. With `migrate` neither is even looked
    at. Raises `LocalServersError`, `DatabaseBehindError`, `DatabaseUnfitError`, `RecordKindUnfitError`.
    """
    for words in misspelled():
        notes.print(words, style="yellow")
    if home is not None:
        os.environ["RECOURSE_STORAGE_URL"] = (home.absolute() / "files").as_uri()
    embedded_database = home is not None or settings().database_url is None
    embedded_broker = home is not None or settings().broker_url is None
    home = (home or settings().home).absolute()
    with LocalServers(home, postgres=embedded_database, redis=embedded_broker) as servers:
        urls = servers.start()
        if servers.started:
            notes.print(f"Started {' and '.join(servers.started)} for this command.", style="dim")
        if embedded_database:
            os.environ |= dict.fromkeys(DATABASE_URLS, urls.database)
            if settings().secret_key is None:
                os.environ["RECOURSE_SECRET_KEY"] = kept_secret(home, "secret_key")
        if embedded_broker:
            os.environ["RECOURSE_BROKER_URL"] = urls.broker
        read_settings_again()
        if not migrate:
            _bring_up_to_date(may_migrate=embedded_database)
            check_record_kinds()
        redis_is_new = any(name.startswith(("Redis", "Valkey")) for name in servers.started)
        workers = Workers(home / "worker.log", servers, may_run=not redis_is_new)
        if settings().otlp_endpoint:
            from tasks.tracing import start_tracing  # it loads all tasks, for which nobody else need wait

            start_tracing("recourse-cli")
        try:
            yield workers
        finally:
            workers.stop()
            forget_engine()


@contextmanager
def using_database(url: str) -> Iterator[None]:
    """In the scope, sessions and migrations use this database."""
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


def kept_secret(home: Path, name: str) -> str:
    """A secret of the embedded installation, made at its first use and kept in a file that only its owner reads."""
    path = home / name
    if not path.exists():
        with NamedTemporaryFile("w", dir=home) as complete:  # only its owner can read it
            complete.write(secrets.token_urlsafe(24))
            complete.flush()
            with suppress(FileExistsError):  # another command was quicker
                os.link(complete.name, path)  # whole or not at all, even if this is killed here
    return path.read_text()


def _bring_up_to_date(*, may_migrate: bool) -> None:
    newest = newest_migration()
    with engine().connect() as connection:
        current = current_version(connection)
        wrong = None if current else stranger(connection, schema_was_chosen=settings().database_schema is not None)
    if current == newest:
        return
    if wrong:
        raise DatabaseUnfitError(wrong)
    if not may_migrate:
        raise DatabaseBehindError(
            f"The database is at migration {current or 'none'} and this program needs {newest}. "
            "Run `recourse database upgrade`."
        )
    upgrade()


def read_settings_again() -> None:
    """Have what was put into the environment count."""
    forget_engine()
    settings.cache_clear()
