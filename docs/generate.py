"""Writes the reference pages that follow from the code: settings.md and command-line.md.

`python docs/generate.py` writes them, and a test fails if they are out of date.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import typer
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from cli.main import app
from config.settings import Settings

REFERENCE = Path(__file__).parent / "reference"
MARKUP = re.compile(r"\[/?[a-z ]+\]")


def settings_page() -> str:
    """Returns the page of the settings, in the order of the code."""
    lines = [
        "# Settings",
        "",
        "Environment variables, or lines of a file `.env`. Lists are JSON; those of networks have commas.",
        "`recourse doctor` names a misspelled one.",
        "",
        "| setting | default | |",
        "| --- | --- | --- |",
    ]
    for name, field in Settings.model_fields.items():
        lines.append(f"| `RECOURSE_{name.upper()}` | {_default(field.default)} | {_cell(field.description or '')} |")
    return "\n".join(lines) + "\n"


def command_line_page() -> str:
    """Returns the page of the command line, from what `--help` says."""
    root = typer.main.get_command(app)
    lines = ["# The command line", "", "`recourse COMMAND --help` says the same.", ""]
    for words, command in _commands(root, ["recourse"]):
        lines += _command(words, command)
    return "\n".join(lines).rstrip() + "\n"


def _commands(group: Any, words: list[str]) -> Iterator[tuple[list[str], Any]]:
    for name, command in sorted(getattr(group, "commands", {}).items()):
        if hasattr(command, "commands"):
            yield from _commands(command, [*words, name])
        else:
            yield [*words, name], command


def _command(words: list[str], command: Any) -> list[str]:
    arguments = [one for one in command.params if _is_argument(one)]
    options = [one for one in command.params if not _is_argument(one) and "--help" not in one.opts]
    usage = " ".join([*words, *map(_metavar, arguments)])
    lines = [
        f"## `{' '.join(words)}`",
        "",
        _plain(command.help or ""),
        "",
        "```",
        usage + (" [OPTIONS]" if options else ""),
    ]
    lines += ["```", ""]
    rows = [*arguments, *options]
    if rows:
        lines += ["| | |", "| --- | --- |"]
        lines += [f"| {_named(one)} | {_cell(_plain(getattr(one, 'help', '') or ''))} |" for one in rows]
        lines.append("")
    return lines


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _named(parameter: Any) -> str:
    if _is_argument(parameter):
        return f"`{_metavar(parameter)}`"
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    if getattr(parameter, "is_flag", False):
        return names
    return f"{names} `{_metavar(parameter)}`"


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.display_type(None)).replace("|", "\\|")


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if value is None or isinstance(value, SecretStr):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if str(value) else "empty"


def _plain(text: str) -> str:
    return MARKUP.sub("", text).strip()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


PAGES = {"settings.md": settings_page, "command-line.md": command_line_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page())
