"""What a command needs around it: servers, and a database that is up to date. It starts what is missing."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from cli.local import LocalServers
from cli.terminal import notes
from cli.workers import Workers
from config.misspelled import misspelled
from config.settings import required, settings
from models.session import engine, forget_engine

ROOT = Path(__file__).parents[1]


class DatabaseBehindError(Exception):
    """The database's tables are older or newer than this program."""


@contextmanager
def surroundings(home: Path | None = None, *, migrate: bool = False) -> Iterator[Workers]:
    """The servers and the database for one command; in the scope, settings and sessions use them.

    `home` is a folder other than that of the settings, for servers of its own whatever the settings say. A database of
    the installation's own is brought up to date; one of the operator's only with `migrate`. Raises
    `LocalServersError`, `DatabaseBehindError`.
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
            os.environ["RECOURSE_DATABASE_URL"] = urls.database
            if settings().secret_key is None:
                os.environ["RECOURSE_SECRET_KEY"] = kept_secret(home, "secret_key")
        if embedded_broker:
            os.environ["RECOURSE_BROKER_URL"] = urls.broker
        read_settings_again()
        _bring_up_to_date(may_migrate=migrate or embedded_database)
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
    """In the scope, sessions use this database."""
    before = required("database_url")
    os.environ["RECOURSE_DATABASE_URL"] = url
    read_settings_again()
    try:
        yield
    finally:
        os.environ["RECOURSE_DATABASE_URL"] = before
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


def alembic_config() -> Config:
    """Where Alembic finds the migrations."""
    return Config(toml_file=ROOT / "pyproject.toml")


def newest_migration() -> str | None:
    """The migration that this program's tables are at."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def _bring_up_to_date(*, may_migrate: bool) -> None:
    newest = newest_migration()
    with engine().connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current == newest:
        return
    if not may_migrate:
        raise DatabaseBehindError(
            f"The database is at migration {current or 'none'} and this program needs {newest}. "
            "Run `recourse database upgrade`."
        )
    command.upgrade(alembic_config(), "head")


def read_settings_again() -> None:
    """Have what was put into the environment count."""
    forget_engine()
    settings.cache_clear()
