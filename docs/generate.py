"""Writes the reference pages that follow from the code: settings.md, command-line.md and command-line.schema.json.

`python docs/generate.py` writes them, and a test fails if they are out of date.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import typer
from answers import ANSWERS, schema
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from cli.main import app
from config.settings import Settings

INTRODUCTION = """`recourse COMMAND --help` says the same.

Wherever a reset or a rule is named by its id, its beginning or its end is enough, if no other id is like it. Tables
show the end of an id, and fit the terminal: they fold long texts, and become lists if it is too narrow. A pipe gets
160 columns, or as many as `COLUMNS` says.

**Completion.** `recourse --install-completion` has your shell (bash, zsh or fish) complete commands, options, course
codes and ids of resets; `recourse --show-completion` prints the script instead."""
JSON = """The schema is in [command-line.schema.json](command-line.schema.json): an object with the answer of each
command. What a command makes or changes has the shape in which other commands show or list it, and includes any secret
that is shown only once. A refusal is a sentence on standard error and no JSON, with exit status 2. Times are in UTC
unless they have another offset."""

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
        lines.append(f"| `RECOURSE_{name.upper()}` | {_default(field)} | {_cell(field.description or '')} |")
    return "\n".join(lines) + "\n"


def command_line_page() -> str:
    """Returns the page of the command line, from what `--help` says."""
    root: Any = typer.main.get_command(app)
    root.load_all()
    lines = ["# The command line", "", INTRODUCTION, ""]
    answers = schema()
    for words, command in _commands(root, ["recourse"]):
        lines += _command(words, command)
        name = " ".join(words[1:])
        if name in ANSWERS:
            lines += [f"`--json` prints {_kind(answers['properties'][name])}.", ""]
    lines += ["## What `--json` prints", "", JSON, ""]
    for name, definition in sorted(answers["$defs"].items()):
        if "properties" in definition:
            lines += _definition(name, definition)
    return "\n".join(lines).rstrip() + "\n"


def schema_file() -> str:
    """Returns the JSON Schema of what the commands print."""
    return json.dumps(schema(), indent=2) + "\n"


def _definition(name: str, definition: dict[str, Any]) -> list[str]:
    lines = [f"### {name}", "", str(definition.get("description", "")), "", "| | | |", "| --- | --- | --- |"]
    for field, facts in definition["properties"].items():
        lines.append(f"| `{field}` | {_kind(facts)} | {_cell(facts.get('description', ''))} |")
    return [*lines, ""]


def _kind(facts: dict[str, Any]) -> str:
    """Returns the type of a value, with links to objects that have a section of their own."""
    match facts:
        case {"$ref": reference}:
            name = reference.rpartition("/")[2]
            definition = schema()["$defs"][name]
            return f"[{name}](#{name.lower()})" if "properties" in definition else _kind(definition)
        case {"anyOf": kinds}:
            return " or ".join(_kind(kind) for kind in kinds)
        case {"enum": values}:
            return " or ".join(f"`{value}`" for value in values)
        case {"type": "array", "items": items}:
            return f"a list of {_kind(items)}"
        case {"type": "object", "additionalProperties": dict() as values}:
            return f"an object with values: {_kind(values)}"
    kind = str(facts.get("format") or facts.get("type") or "anything")
    return {"null": "null", "date-time": "time", "number": "number", "integer": "number"}.get(kind, kind)


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


def _default(field: FieldInfo) -> str:
    defaults = {name: one.default for name, one in Settings.model_fields.items()}
    value = field.get_default(call_default_factory=True, validated_data=defaults)
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


PAGES = {
    "settings.md": settings_page,
    "command-line.md": command_line_page,
    "command-line.schema.json": schema_file,
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page())
