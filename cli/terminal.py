"""Where the command line writes: the answer to stdout, everything else to stderr."""

import json
import os
import sys
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH_OF_A_FILE = 160  # columns when stdout is a file or a pipe, unless COLUMNS says otherwise
NARROWEST = 12  # columns that a text may be folded to, before a table becomes a list
GAP = 3  # between two columns

console = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDTH_OF_A_FILE)
notes = Console(stderr=True)


def print_json(value: Any) -> None:
    """Print the answer as JSON. Not with Rich, which folds long lines."""
    print(json.dumps(value, indent=2, default=_as_json))  # noqa: T201


def answer(value: Any, sentence: str, *, as_json: bool) -> None:
    """Print what a command made or changed, as JSON or in a sentence."""
    if as_json:
        print_json(value)
    else:
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)


def _as_json(value: Any) -> str:
    return str(value.isoformat() if hasattr(value, "isoformat") else value)


def print_table(table: Table, to: Console = console) -> None:
    """Print a table. Nothing is cut: long texts are folded, except in columns that are to stay whole.

    If the terminal is too narrow for its columns, first those without a name are left out, which only illustrate. If
    that is not enough, each row becomes a list.
    """
    for column in table.columns:
        if not column.no_wrap:
            column.overflow = "fold"
    if _needed(table, to) > to.width:
        table.columns = [column for column in table.columns if column.header or not table.show_header]
    if _needed(table, to) <= to.width:
        to.print(table)
    else:
        _print_list(table, to)


def whole(table: Table, *names: str) -> Table:
    """Returns the table, whose columns with these names are to stay whole: an id or a code is copied."""
    for column in table.columns:
        column.no_wrap = column.no_wrap or column.header in names
    return table


def _needed(table: Table, to: Console) -> int:
    """Returns how many columns the table takes at least."""
    return sum(_least(list(column.cells), to, whole=column.no_wrap) + GAP for column in table.columns) + 1


def _least(cells: list[Any], to: Console, *, whole: bool) -> int:
    measured = [to.measure(to.render_str(cell) if isinstance(cell, str) else cell) for cell in cells]
    if whole:
        return max(cell.maximum for cell in measured)
    return min(NARROWEST, max(cell.minimum for cell in measured))


def _print_list(table: Table, to: Console) -> None:
    if table.title:
        to.print(table.title, style="italic")
    for cells in zip(*(column._cells for column in table.columns), strict=True):
        if not table.show_header:
            name, cell = cells[:2]
            to.print(Text(f"{name}:", style="bold"), cell, overflow="fold", highlight=False)
            continue
        for column, cell in zip(table.columns, cells, strict=True):
            # What is copied has no line breaks
            wrapping: dict[str, Any] = {"soft_wrap": True} if column.no_wrap else {"overflow": "fold"}
            to.print(Text(f"{column.header}:", style="bold"), cell, highlight=False, **wrapping)
        to.print()


def dim_note(sentence: str) -> None:
    """Print a sentence about what is going on, on stderr."""
    notes.print(sentence, style="dim", soft_wrap=True, highlight=False)
