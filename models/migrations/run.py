"""Run the migrations, grant the application's role its rights, and check what the migrations do."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.pool import NullPool

from config.database import migration_connection, migration_url
from config.settings import required
from models.grants import check_role, grants
from models.migrations.direct import direct_connection
from models.migrations.gentle import stopping
from models.records import record_kinds

PROJECT = Path(__file__).parents[2]
BASELINE = "0010"  # no later migration may block writers


def alembic_config() -> Config:
    """Returns Alembic's configuration, which says where the migrations are."""
    return Config(toml_file=PROJECT / "pyproject.toml")


def upgrade(say: Callable[[str], object]) -> list[str]:
    """Migrate the tables to this program's version, however long that takes.

    Calls `say` with a sentence whenever it has to wait. Returns the migrations that ran. Raises `DatabaseUnfitError`.
    """
    done: list[str] = []
    config = alembic_config()
    config.attributes["say"] = say
    config.attributes["applied"] = done.append
    command.upgrade(config, "head")
    return done


def role_of_the_app() -> str | None:
    """Returns the role that the application connects as, `None` if it is the owner of the tables."""
    app, owner = make_url(required("database_url")).username, make_url(migration_url()).username
    return app if app != owner else None


def grant(role: str) -> None:
    """Give the role the rights that the application needs, all or none. Raises `RoleUnfitError`."""
    with _owner() as connection:
        check_role(connection, role)
        for statement in grants(connection, role):
            connection.exec_driver_sql(statement)


def grants_for(role: str) -> list[str]:
    """Returns the statements that `grant` would run."""
    with _owner() as connection:
        return grants(connection, role)


@contextmanager
def scratch_database() -> Iterator[str]:
    """Create an empty database beside the real one, and drop it at the end of the scope. Yields its URL."""
    url = make_url(migration_url())
    name = f"recourse_check_{os.getpid()}"
    with direct_connection(create_engine(url, isolation_level="AUTOCOMMIT")) as real:
        real.execute(text(f"CREATE DATABASE {name}"))
        try:
            yield url.set(database=name).render_as_string(hide_password=False)
        finally:
            real.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def check_migrations() -> dict[str, list[str]]:
    """Run all migrations on the empty database of the settings, and compare its tables with the models.

    Returns, by migration, the statements that block writers; if there are any, the tables are not compared. Raises
    Alembic's `CommandError` if the tables differ from the models.
    """
    config = alembic_config()
    command.upgrade(config, BASELINE)
    if found := blocking_statements(config):
        return found
    command.check(config)
    return {}


def blocking_statements(config: Config) -> dict[str, list[str]]:
    """Run the migrations after the baseline. Returns, by migration, the statements that block a table's writers."""
    scripts = ScriptDirectory.from_config(config)
    found = {}
    for script in reversed(list(scripts.iterate_revisions("head", BASELINE))):
        with _recorded_statements() as statements:
            command.upgrade(config, script.revision)
        if wrong := stopping(statements):
            found[script.revision] = wrong
    return found


@contextmanager
def _owner() -> Iterator[Connection]:
    """Connect as the owner of the tables, in one transaction."""
    record_kinds()  # includes a team's own tables
    engine = create_engine(migration_url(), poolclass=NullPool, connect_args=migration_connection("10s"))
    with direct_connection(engine) as connection, connection.begin():
        yield connection


@contextmanager
def _recorded_statements() -> Iterator[list[str]]:
    """Yields a list of all statements that this process sends to a database in the scope."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)
