"""Bringing the tables up to date, and a look at how that is done."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, event

from cli.terminal import notes
from models.migrations.gentle import stopping

ROOT = Path(__file__).parents[1]
BASELINE = "0005"  # of what comes after it, nothing may stop those who work


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
