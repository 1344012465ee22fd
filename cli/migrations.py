"""Bringing the tables up to date, and a look at how that is done."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.pool import NullPool

from cli.terminal import notes
from config.database import migration_connection, migration_url
from config.settings import required
from models.grants import check_role, grants
from models.migrations.gentle import stopping
from models.records import record_kinds

ROOT = Path(__file__).parents[1]
BASELINE = "0010"  # of what comes after it, nothing may stop those who work


def alembic_config() -> Config:
    """Where Alembic finds the migrations."""
    return Config(toml_file=ROOT / "pyproject.toml")


def newest_migration() -> str | None:
    """The migration that this program's tables are at."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def upgrade() -> list[str]:
    """Bring the tables to this program's version, however long that takes, and say what it waits for.

    Returns the migrations that were run. Raises `DatabaseUnfitError`.
    """
    done: list[str] = []
    config = alembic_config()
    config.attributes["say"] = lambda words: notes.print(words, style="dim", soft_wrap=True, highlight=False)
    config.attributes["applied"] = done.append
    command.upgrade(config, "head")
    return done


def role_of_the_app() -> str | None:
    """The role that the application connects as, if it is another one than that which migrates."""
    app, owner = make_url(required("database_url")).username, make_url(migration_url()).username
    return app if app != owner else None


def grant(role: str) -> None:
    """Give the role what the application needs, all of it or nothing. Raises `RoleUnfitError`."""
    with _owner() as connection:
        check_role(connection, role)
        for statement in grants(connection, role):
            connection.exec_driver_sql(statement)


def grants_for(role: str) -> list[str]:
    """The statements that `grant` would run."""
    with _owner() as connection:
        return grants(connection, role)


@contextmanager
def _owner() -> Iterator[Connection]:
    record_kinds()  # a team's own tables are granted, too
    engine = create_engine(migration_url(), poolclass=NullPool, connect_args=migration_connection("10s"))
    with engine.begin() as connection:
        yield connection


def stopping_statements(config: Config) -> dict[str, list[str]]:
    """Run the migrations that follow the baseline, and give by migration what would stop the writers of a table."""
    scripts = ScriptDirectory.from_config(config)
    found = {}
    for script in reversed(list(scripts.iterate_revisions("head", BASELINE))):
        with _statements() as statements:
            command.upgrade(config, script.revision)
        if wrong := stopping(statements):
            found[script.revision] = wrong
    return found


@contextmanager
def _statements() -> Iterator[list[str]]:
    """What is sent to a database in the scope."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)
