"""The lines of a CSV or NDJSON file: their values by column, and the errors by line."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, BinaryIO

from tasks.imports.values import Column, WrongError

LONGEST_LINE = 1_000_000  # bytes; a file without line breaks would otherwise be read whole
MOST_ERRORS = 100  # kept with their line; further ones are only counted


class Form(StrEnum):
    """The format of a file, in UTF-8."""

    CSV = "csv"  # RFC 4180; the first line names the columns, an empty cell leaves the value as it is
    NDJSON = "ndjson"  # a JSON object a line


@dataclass
class Errors:
    """The errors of a file: the first ones by line, and how many there are."""

    first: list[tuple[int, str]] = field(default_factory=list)
    count: int = 0

    def add(self, line: int, detail: str, also: int = 0) -> None:
        """Add an error, and count `also` further ones without their lines."""
        self.count += 1 + also
        if len(self.first) == MOST_ERRORS and line >= self.first[-1][0]:
            return
        self.first = sorted([*self.first, (line, detail)], key=lambda one: one[0])[:MOST_ERRORS]


def read(file: BinaryIO, form: Form, columns: Mapping[str, Column], errors: Errors) -> Iterator[tuple[int, Any]]:
    """Yields each valid line: its number in the file, from 1, and its values by column, `None` where it has none."""
    objects = _objects_of_csv(file, columns, errors) if form == Form.CSV else _objects_of_json(file, columns, errors)
    empty = True
    for line, values in objects:
        empty = False
        checked = checked_values(line, values, columns, errors)
        if checked is not None:
            yield line, checked
    if empty and form == Form.NDJSON and not errors.count:
        errors.add(1, "the file is empty")


def checked_values(
    line: int, values: Mapping[str, Any], columns: Mapping[str, Column], errors: Errors, within: str = ""
) -> dict[str, Any] | None:
    """Returns the values for the database, `None` if one is wrong, which is added to `errors`."""
    before = errors.count
    if unknown := sorted(values.keys() - columns.keys()):
        errors.add(line, f"{within}{unknown[0]}: there is no such column; the columns are {', '.join(columns)}")
        return None
    checked = {}
    for name, column in columns.items():
        try:
            checked[name] = column.checked(values.get(name))
        except WrongError as wrong:
            errors.add(line, f"{within}{name}: {wrong}")
    return checked if errors.count == before else None


def _objects_of_csv(
    file: BinaryIO, columns: Mapping[str, Column], errors: Errors
) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.reader(_text_lines(file, errors), strict=True)
    header = None
    begins = 1
    try:
        for cells in reader:
            line, begins = begins, reader.line_num + 1
            if header is None:
                header = [name.strip() for name in cells]
                if not _good_header(header, columns, errors):
                    return
            elif len(cells) != len(header) and cells:
                errors.add(line, f"the line has {len(cells)} cells, but the header has {len(header)}")
            elif cells:
                yield line, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        errors.add(begins, f"{error}; the rest of the file was not read")
    if header is None and not errors.count:
        errors.add(1, "the file is empty")


def _good_header(header: list[str], columns: Mapping[str, Column], errors: Errors) -> bool:
    wrong = [f"{name!r} is not a column" for name in header if name not in columns]
    wrong += [f"{name} is missing" for name, column in columns.items() if column.required and name not in header]
    wrong += [f"{name} appears twice" for name in sorted({name for name in header if header.count(name) > 1})]
    if wrong:
        errors.add(1, f"the header is wrong: {', '.join(wrong[:5])}. The columns are {', '.join(columns)}")
    return not wrong


def _objects_of_json(
    file: BinaryIO, columns: Mapping[str, Column], errors: Errors
) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, words in enumerate(_text_lines(file, errors), 1):
        if not words.strip():
            continue
        try:
            found = json.loads(words)
        except (ValueError, RecursionError):
            errors.add(line, "the line is not JSON")
            continue
        if not isinstance(found, dict):
            errors.add(line, f"the line is not a JSON object; use the keys {', '.join(columns)}")
        else:
            yield line, found


def _text_lines(file: BinaryIO, errors: Errors) -> Iterator[str]:
    """Yields the file's lines. A line that is not UTF-8 is added to `errors`, and becomes empty."""
    number = 0
    while block := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(block) > LONGEST_LINE:
            errors.add(number, f"the line has more than {LONGEST_LINE:,} bytes; the rest of the file was not read")
            return
        if number == 1:
            block = block.removeprefix(b"\xef\xbb\xbf")  # the byte order mark that spreadsheets write
        try:
            words = block.decode()
        except UnicodeDecodeError:
            errors.add(number, "the line is not UTF-8")
            words = "\n"
        yield words
