"""What a command needs around it: servers, a database that is up to date, a worker. It starts what is missing."""

import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from rich.console import Console

from cli.local import LocalServers
from cli.worker_process import WorkerProcess
from config.settings import required, settings
from models.session import engine, forget_engine

ROOT = Path(__file__).parents[1]

WIDTH_OF_A_FILE = 160  # where the answer goes to a file or a pipe, nothing need be squeezed into a terminal

console = Console(width=None if sys.stdout.isatty() else WIDTH_OF_A_FILE)
notes = Console(stderr=True)  # what is not the answer


class DatabaseBehindError(Exception):
    """The database's tables are older or newer than this program."""


class WorkerEndedError(Exception):
    """The command's own worker could not go on."""


class Workers:
    """A worker to do what the command asks for: one that is there already, or one of the command's own."""

    def __init__(self, log: Path, *, may_run: bool) -> None:
        """`may_run` false where none can be there: the broker has just been started."""
        self.log = log
        self._may_run = may_run
        self._own: WorkerProcess | None = None

    def ensure(self) -> bool:
        """Start a worker if none answers, and wait for it. Gives whether the command depends on one of its own.

        Raises `WorkerEndedError` if its own has ended by itself.
        """
        if self._own is None and not (self._may_run and _answers(within=1)):
            notes.print("No worker is running: starting one for this command.", style="dim")
            self._own = WorkerProcess(self.log)
            while not _answers(within=0.2):
                self._check()
        self._check()
        return self._own is not None

    def _check(self) -> None:
        if self._own is not None and self._own.has_ended():
            last = (self.log.read_text(errors="replace").strip().splitlines() or ["nothing"])[-1]
            raise WorkerEndedError(f"The worker ended by itself. It said: {last}\nIts log is {self.log}.")

    def stop(self) -> None:
        """End the worker of the command's own, if it has one."""
        if self._own is not None:
            self._own.stop()


@contextmanager
def surroundings(home: Path | None = None, *, migrate: bool = False) -> Iterator[Workers]:
    """The servers and the database for one command; in the scope, settings and sessions use them.

    `home` is a folder other than that of the settings, for servers of its own whatever the settings say. A database of
    the installation's own is brought up to date; one of the operator's only with `migrate`. Raises
    `LocalServersError`, `DatabaseBehindError`.
    """
    embedded_database = home is not None or settings().database_url is None
    embedded_broker = home is not None or settings().broker_url is None
    home = (home or settings().home).absolute()
    with LocalServers(home, postgres=embedded_database, redis=embedded_broker) as servers:
        urls = servers.start()
        if servers.started:
            notes.print(f"Started {' and '.join(servers.started)} for this command.", style="dim")
        if embedded_database:
            os.environ["RECOURSE_DATABASE_URL"] = urls.database
        if embedded_broker:
            os.environ["RECOURSE_BROKER_URL"] = urls.broker
        if embedded_database and settings().secret_key is None:
            os.environ["RECOURSE_SECRET_KEY"] = _secret_key(home)
        _read_settings_again()
        _bring_up_to_date(may_migrate=migrate or embedded_database)
        home.mkdir(exist_ok=True)
        redis_is_new = any(name.startswith(("Redis", "Valkey")) for name in servers.started)
        workers = Workers(home / "worker.log", may_run=not redis_is_new)
        try:
            yield workers
        finally:
            workers.stop()
            forget_engine()


def alembic_config() -> Config:
    """Where Alembic finds the migrations."""
    return Config(toml_file=ROOT / "pyproject.toml")


def _bring_up_to_date(*, may_migrate: bool) -> None:
    newest = ScriptDirectory.from_config(alembic_config()).get_current_head()
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


@contextmanager
def using_database(url: str) -> Iterator[None]:
    """In the scope, sessions use this database."""
    before = required("database_url")
    os.environ["RECOURSE_DATABASE_URL"] = url
    _read_settings_again()
    try:
        yield
    finally:
        os.environ["RECOURSE_DATABASE_URL"] = before
        _read_settings_again()


def print_json(value: Any) -> None:
    """Print the answer as JSON. Not through Rich, which folds long lines."""
    print(json.dumps(value, indent=2, default=str))  # noqa: T201


def _read_settings_again() -> None:
    forget_engine()
    settings.cache_clear()


def _secret_key(home: Path) -> str:
    """The key of the embedded installation, made at its first use."""
    path = home / "secret_key"
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
    except FileExistsError:
        pass
    return path.read_text()


def _answers(*, within: float) -> bool:
    """Whether a worker answers on the broker within so many seconds."""
    from tasks.app import app

    return bool(app.control.ping(timeout=within, limit=1))
