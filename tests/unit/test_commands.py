"""The commands, which are imported when they are called."""

import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from alembic.config import Config
from alembic.script import ScriptDirectory

from cli.commands import COMMANDS
from cli.main import app
from models.versions import newest_migration

PROJECT = Path(__file__).parents[2]
HEAVY = {"celery", "kombu", "sqlalchemy", "alembic", "psycopg", "redis", "pydantic", "fastapi", "httpx"}
WITHOUT_JSON = {
    "demo",  # to be watched: it resets data of its own, of which nothing is left to use
    "up",  # runs until it is stopped
}


@pytest.fixture(scope="module")
def commands() -> dict[str, Any]:
    root: Any = typer.main.get_command(app)
    root.load_all()
    return dict(root.commands)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_summary_is_the_beginning_of_the_commands_help(commands: dict[str, Any], name: str) -> None:
    first_paragraph = " ".join(commands[name].help.partition("\n\n")[0].split())
    assert first_paragraph == COMMANDS[name].summary


def test_no_command_of_a_module_is_missing(commands: dict[str, Any]) -> None:
    for module in {entry.module for entry in COMMANDS.values()}:
        found = typer.main.get_group(sys.modules[module].app).commands
        assert set(found) == {name for name, entry in COMMANDS.items() if entry.module == module}


def loaded_by(*words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "cli.main", *words],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}


def test_help_loads_no_library_that_it_does_not_need() -> None:
    assert loaded_by("--help") & HEAVY == set()


def test_a_command_that_only_reads_loads_nothing_that_sends_messages() -> None:
    assert loaded_by("show", "--help") & {"celery", "kombu", "alembic", "fastapi", "httpx", "apprise"} == set()


def every_command(group: dict[str, Any], *words: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.items():
        if hasattr(command, "commands"):
            yield from every_command(command.commands, *words, name)
        else:
            yield " ".join([*words, name]), command


def test_every_command_prints_json_and_has_its_answer_in_the_schema(commands: dict[str, Any]) -> None:
    sys.path.insert(0, str(PROJECT / "docs"))
    answers = runpy.run_path(str(PROJECT / "docs" / "answers.py"))["ANSWERS"]
    found = dict(every_command(commands))

    assert {name for name, one in found.items() if not any("--json" in it.opts for it in one.params)} == WITHOUT_JSON
    assert set(found) - WITHOUT_JSON == set(answers)


def test_the_newest_migration_by_file_name_is_the_one_that_alembic_finds() -> None:
    scripts = ScriptDirectory.from_config(Config(toml_file=PROJECT / "pyproject.toml"))
    assert newest_migration() == scripts.get_current_head()
