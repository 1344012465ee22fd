"""A file of many lines, as CSV or NDJSON: its values by column, and what is wrong with it."""

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, BinaryIO
from zoneinfo import available_timezones

LONGEST_LINE = 1_000_000  # bytes; a file without ends of lines would otherwise be read whole
ERRORS_TOLD = 100
CODE = re.compile(r"[A-Za-z0-9._-]{1,64}")
EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


class Form(StrEnum):
    """How a file is written."""

    CSV = "csv"  # RFC 4180 in UTF-8, the first line names the columns; an empty cell says nothing
    NDJSON = "ndjson"  # a JSON object a line, in UTF-8


@dataclass
class Errors:
    """What is wrong, by line: the first ones, and how many there are."""

    told: list[tuple[int, str]] = field(default_factory=list)
    count: int = 0

    def add(self, line: int, detail: str, also: int = 0) -> None:
        """Note an error; `also` further ones are counted without being told."""
        self.count += 1 + also
        if len(self.told) == ERRORS_TOLD and line >= self.told[-1][0]:
            return
        self.told = sorted([*self.told, (line, detail)], key=lambda one: one[0])[:ERRORS_TOLD]


class WrongError(ValueError):
    """A value is not what its column holds; the message says what it must be."""


Check = Callable[[Any], Any]  # gives the value for the database; raises WrongError


@dataclass(frozen=True)
class Column:
    """A column of a file, and a key of its objects."""

    check: Check
    required: bool = False
    takes: type = str


def text(longest: int) -> Check:
    """Any text of up to so many characters."""

    def check(value: str) -> str:
        if len(value) > longest:
            raise WrongError(f"must have at most {longest:,} characters")
        return value

    return check


def matching(pattern: re.Pattern[str], must_be: str, longest: int = 320) -> Check:
    """Text that matches the pattern as a whole."""

    def check(value: str) -> str:
        if len(value) > longest or not pattern.fullmatch(value):
            raise WrongError(f"must be {must_be}")
        return value

    return check


def one_of(values: type[StrEnum]) -> Check:
    """One of the values."""

    def check(value: str) -> str:
        if value not in list(values):
            raise WrongError(f"must be one of {', '.join(values)}")
        return value

    return check


def yes_or_no(value: str) -> bool:
    """`true` or `false`."""
    if value not in ("true", "false"):
        raise WrongError("must be true or false")
    return value == "true"


def moment(value: str) -> datetime:
    """A moment of ISO 8601 with its time zone."""
    must_be = WrongError("must be a moment with its time zone, such as 2027-01-31T12:00:00Z")
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise must_be from None
    if found.tzinfo is None or not 1970 <= found.year <= 9000:
        raise must_be
    return found


def time_zone(value: str) -> str:
    """The name of a time zone."""
    if value not in _time_zones():
        raise WrongError("must be the name of a time zone, such as Europe/Zurich")
    return value


@lru_cache(maxsize=1)
def _time_zones() -> set[str]:
    return available_timezones()  # reads a folder


course_code = matching(CODE, "a course code of 1 to 64 letters, digits, dots, hyphens and underscores")
email = matching(EMAIL, "an e-mail address")
locale = matching(LOCALE, "a language tag, such as de-CH", 35)


def read(file: BinaryIO, form: Form, columns: Mapping[str, Column], errors: Errors) -> Iterator[tuple[int, Any]]:
    """The lines that are right by themselves: their number in the file, from 1, and their values by column, none where
    the file does not say."""
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
    """The values as the database takes them; none if one is wrong, which is noted."""
    before = errors.count
    if unknown := sorted(values.keys() - columns.keys()):
        errors.add(line, f"{within}{unknown[0]}: there is no such column; there are {', '.join(columns)}")
        return None
    checked = {}
    for name, column in columns.items():
        try:
            checked[name] = _checked(values.get(name), column)
        except WrongError as wrong:
            errors.add(line, f"{within}{name}: {wrong}")
    return checked if errors.count == before else None


def _checked(value: Any, column: Column) -> Any:
    if isinstance(value, bool):
        value = "true" if value else "false"
    elif isinstance(value, str):
        value = value.strip()
        if not _storable(value):
            raise WrongError("holds a character that is no text")
    if value in (None, ""):
        if column.required:
            raise WrongError("must be given")
        return None
    if not isinstance(value, column.takes):
        raise WrongError(f"must be {'text' if column.takes is str else 'a list'}")
    return column.check(value)


def _storable(value: str) -> bool:
    """Whether PostgreSQL's text can hold it: no NUL, and no half of a surrogate pair, which JSON can spell."""
    return "\x00" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


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
                errors.add(line, f"the line has {len(cells)} cells, and the header {len(header)}")
            elif cells:
                yield line, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        errors.add(begins, f"{error}; what follows was not read")
    if header is None and not errors.count:
        errors.add(1, "the file is empty")


def _good_header(header: list[str], columns: Mapping[str, Column], errors: Errors) -> bool:
    wrong = [f"{name!r} is no column" for name in header if name not in columns]
    wrong += [f"{name} is missing" for name, column in columns.items() if column.required and name not in header]
    wrong += [f"{name} is there twice" for name in sorted({name for name in header if header.count(name) > 1})]
    if wrong:
        errors.add(1, f"the header is wrong: {', '.join(wrong[:5])}. There are the columns {', '.join(columns)}")
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
            errors.add(line, "this is not JSON")
            continue
        if not isinstance(found, dict):
            errors.add(line, f"this is no JSON object; it must have the keys {', '.join(columns)}")
        else:
            yield line, found


def _text_lines(file: BinaryIO, errors: Errors) -> Iterator[str]:
    """The file's lines as text. What cannot be one is noted, and is none."""
    number = 0
    while block := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(block) > LONGEST_LINE:
            errors.add(number, f"the line has more than {LONGEST_LINE:,} bytes; what follows was not read")
            return
        if number == 1:
            block = block.removeprefix(b"\xef\xbb\xbf")  # spreadsheets begin a file with it
        try:
            words = block.decode()
        except UnicodeDecodeError:
            errors.add(number, "the line is not UTF-8")
            words = "\n"
        yield words
