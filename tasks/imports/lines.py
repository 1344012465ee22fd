"""The lines of a CSV or NDJSON file: their values by column, and the errors by line."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, BinaryIO

from config.languages import gettext, translatable
from models.refusals.imports import LineError
from tasks.imports.values import Column, WrongError

LONGEST_LINE = 1_000_000  # bytes; a file without line breaks would otherwise be read whole
MOST_ERRORS = 100  # kept with their line; further ones are only counted


class Form(StrEnum):
    """The format of a file, in UTF-8."""

    CSV = "csv"  # RFC 4180; the first line names the columns, an empty cell leaves the value as it is
    NDJSON = "ndjson"  # a JSON object a line


@dataclass
class Errors:
    """The errors of a file, or of the files of an archive: the first ones by line, and how many there are."""

    first: list[LineError] = field(default_factory=list)
    count: int = 0
    file: str = ""  # of an archive, that is being read
    _order: dict[str, int] = field(default_factory=dict)

    def add(self, line: int, detail: str, also: int = 0) -> None:
        """Add an error, and count `also` further ones without their lines."""
        self.count += 1 + also
        self._order.setdefault(self.file, len(self._order))
        error = LineError(line, detail, self.file)
        if len(self.first) == MOST_ERRORS and self._place(error) >= self._place(self.first[-1]):
            return
        self.first = sorted([*self.first, error], key=self._place)[:MOST_ERRORS]

    def _place(self, error: LineError) -> tuple[int, int]:
        return self._order[error.file], error.line


def read(
    file: BinaryIO,
    form: Form,
    columns: Mapping[str, Column],
    errors: Errors,
    *,
    either: Sequence[tuple[str, str]] = (),
    others: bool = False,
) -> Iterator[tuple[int, Any]]:
    """Yields each valid line: its number in the file, from 1, and its values by column, `None` where it has none.

    Of each pair of columns in `either`, a line must have a value in one. With `others`, a CSV file may have columns
    that are not read.
    """
    if form == Form.CSV:
        objects = _objects_of_csv(file, columns, errors, either, others=others)
    else:
        objects = _objects_of_json(file, columns, errors)
    empty = True
    for line, values in objects:
        empty = False
        checked = checked_values(line, values, columns, errors)
        if checked is None:
            continue
        missing = [one for one, other in either if checked[one] is None and checked[other] is None]
        for column in missing:
            errors.add(line, f"{column}: {gettext('must not be empty')}")
        if not missing:
            yield line, checked
    if empty and form == Form.NDJSON and not errors.count:
        errors.add(1, gettext("the file is empty"))


def checked_values(
    line: int, values: Mapping[str, Any], columns: Mapping[str, Column], errors: Errors, within: str = ""
) -> dict[str, Any] | None:
    """Returns the values for the database, `None` if one is wrong, which is added to `errors`."""
    before = errors.count
    if unknown := sorted(values.keys() - columns.keys()):
        name = unknown[0].encode(errors="backslashreplace").decode()  # JSON can name what is not Unicode
        words = gettext("there is no such column; the columns are {columns}", columns=", ".join(columns))
        errors.add(line, f"{within}{name}: {words}")
        return None
    checked = {}
    for name, column in columns.items():
        try:
            checked[name] = column.checked(values.get(name))
        except WrongError as wrong:
            errors.add(line, f"{within}{name}: {wrong}")
    return checked if errors.count == before else None


def _objects_of_csv(
    file: BinaryIO,
    columns: Mapping[str, Column],
    errors: Errors,
    either: Sequence[tuple[str, str]],
    *,
    others: bool,
) -> Iterator[tuple[int, dict[str, Any]]]:
    lines = _RecordLines(_text_lines(file, errors))
    reader = csv.reader(lines, strict=True)
    header = None
    begins = 1
    try:
        for cells in reader:
            lines.begin_record()
            line, begins = begins, reader.line_num + 1
            if header is None:
                header = [name.strip() for name in cells]
                if not _good_header(header, columns, errors, either, others=others):
                    return
            elif len(cells) != len(header) and cells:
                sentence = translatable("the line has {cells:,} cells, but the header has {columns:,}")
                errors.add(line, gettext(sentence, cells=len(cells), columns=len(header)))
            elif cells:
                found = dict(zip(header, cells, strict=True))
                yield line, {name: found[name] for name in columns if name in found} if others else found
    except csv.Error as error:
        errors.add(begins, gettext("{error}; the rest of the file was not read", error=error))
    if header is None and not errors.count:
        errors.add(1, gettext("the file is empty"))


class _RecordLines:
    """The lines of a CSV file. A record of many lines may be no longer than a line may be: it is read whole."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._length = 0  # of the record, so far

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._length += len(line)
        if self._length > LONGEST_LINE:
            raise csv.Error(gettext("the record has more than {most:,} characters", most=LONGEST_LINE))
        return line

    def begin_record(self) -> None:
        self._length = 0


def _good_header(
    header: list[str],
    columns: Mapping[str, Column],
    errors: Errors,
    either: Sequence[tuple[str, str]],
    *,
    others: bool,
) -> bool:
    strange = [name for name in header if name not in columns and not others]
    missing = [name for name, column in columns.items() if column.required and name not in header]
    twice = sorted({name for name in header if header.count(name) > 1})
    wrong = [gettext("{name!r} is not a column", name=name) for name in strange]
    wrong += [gettext("{name} is missing", name=name) for name in missing]
    wrong += [
        gettext("{one} or {other} is missing", one=one, other=other)
        for one, other in either
        if not {one, other} & set(header)
    ]
    wrong += [gettext("{name} appears twice", name=name) for name in twice]
    if wrong:
        sentence = translatable("the header is wrong: {wrong}. The columns are {columns}")
        errors.add(1, gettext(sentence, wrong=", ".join(wrong[:5]), columns=", ".join(columns)))
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
            errors.add(line, gettext("the line is not JSON"))
            continue
        if not isinstance(found, dict):
            sentence = translatable("the line is not a JSON object; use the keys {columns}")
            errors.add(line, gettext(sentence, columns=", ".join(columns)))
        else:
            yield line, found


def _text_lines(file: BinaryIO, errors: Errors) -> Iterator[str]:
    """Yields the file's lines. A line that is not UTF-8 is added to `errors`, and becomes empty."""
    number = 0
    while block := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(block) > LONGEST_LINE:
            sentence = translatable("the line has more than {most:,} bytes; the rest of the file was not read")
            errors.add(number, gettext(sentence, most=LONGEST_LINE))
            return
        if number == 1:
            block = block.removeprefix(b"\xef\xbb\xbf")  # the byte order mark that spreadsheets write
        try:
            words = block.decode()
        except UnicodeDecodeError:
            errors.add(number, gettext("the line is not UTF-8"))
            words = "\n"
        yield words
