"""The archive: its manifest, and its files in temporary tables."""

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Any, BinaryIO

from sqlalchemy.orm import Session

from tasks.imports.lines import Errors, Form, read
from tasks.imports.stage import copy_rows, make_table
from tasks.imports.values import Check, Column, WrongError, email, external_id, text

MOST_BYTES = 20_000_000_000  # of all files that are read, unpacked
BUFFER = 256 * 1024
MANIFEST = "manifest.csv"
VERSIONS = ("1.2", "1.1")  # with the same columns, as far as they are read


class Mode(StrEnum):
    """What the manifest says of a file."""

    BULK = "bulk"  # all there is
    DELTA = "delta"  # what has changed
    ABSENT = "absent"


def _day(value: str) -> datetime:
    """A date, or a date and time in ISO 8601; a date begins at midnight UTC."""
    wrong = WrongError("must be a date, such as 2027-01-31")
    try:
        found = datetime.combine(date.fromisoformat(value), time()) if "T" not in value else None
        found = found or datetime.fromisoformat(value)
    except ValueError:
        raise wrong from None
    if not 1970 <= found.year <= 9000:
        raise wrong
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _decimal(value: str) -> str:
    """A number, as text."""
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not abs(number) < 1e9:
        raise WrongError("must be a number")
    return repr(number)


def _flag(value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise WrongError("must be true or false")
    return value.lower() == "true"


def _word(value: str) -> str:
    return str(text(100)(value)).lower()


STATUS = ("status", Column(_word), "text")
KEY: Check = external_id


@dataclass(frozen=True)
class File:
    """A file of the archive, and the temporary table that it is loaded into."""

    name: str
    table: str
    columns: tuple[tuple[str, Column, str], ...]  # the name in the file, what it may hold, and its type in the table

    @property
    def title(self) -> str:
        """Its name in the manifest."""
        return self.name.removesuffix(".csv")


USERS = File(
    "users.csv",
    "oneroster_user",
    (
        ("sourcedId", Column(KEY, required=True), "text"),
        STATUS,
        ("enabledUser", Column(_flag), "boolean"),
        ("username", Column(text(500)), "text"),
        ("givenName", Column(text(100)), "text"),
        ("familyName", Column(text(100)), "text"),
        ("email", Column(email), "text"),
    ),
)
COURSES = File(
    "courses.csv",
    "oneroster_course",
    (
        ("sourcedId", Column(KEY, required=True), "text"),
        STATUS,
        ("title", Column(text(300)), "text"),
        ("courseCode", Column(text(500)), "text"),
    ),
)
CLASSES = File(
    "classes.csv",
    "oneroster_class",
    (
        ("sourcedId", Column(KEY, required=True), "text"),
        STATUS,
        ("title", Column(text(300)), "text"),
        ("courseSourcedId", Column(KEY), "text"),
        ("classCode", Column(text(500)), "text"),
    ),
)
ENROLLMENTS = File(
    "enrollments.csv",
    "oneroster_enrollment",
    (
        STATUS,
        ("classSourcedId", Column(KEY, required=True), "text"),
        ("userSourcedId", Column(KEY, required=True), "text"),
        ("role", Column(_word, required=True), "text"),
    ),
)
LINE_ITEMS = File(
    "lineItems.csv",
    "oneroster_line_item",
    (
        ("sourcedId", Column(KEY, required=True), "text"),
        STATUS,
        ("classSourcedId", Column(KEY, required=True), "text"),
        ("resultValueMax", Column(_decimal), "double precision"),
    ),
)
RESULTS = File(
    "results.csv",
    "oneroster_result",
    (
        STATUS,
        ("lineItemSourcedId", Column(KEY, required=True), "text"),
        ("studentSourcedId", Column(KEY, required=True), "text"),
        ("scoreStatus", Column(_word), "text"),
        ("score", Column(_decimal), "double precision"),
        ("scoreDate", Column(_day), "timestamptz"),
        ("classSourcedId", Column(KEY), "text"),
    ),
)
FILES = (USERS, COURSES, CLASSES, ENROLLMENTS, LINE_ITEMS, RESULTS)


def read_archive(session: Session, file: BinaryIO, errors: Errors) -> Mapping[File, Mode]:
    """Load every file into its temporary table, also one that is absent, which is empty. Returns what each of them is.

    Errors are added to `errors`.
    """
    for one in FILES:
        make_table(session, one.table, {name.lower(): kind for name, _, kind in one.columns})
    modes = dict.fromkeys(FILES, Mode.ABSENT)
    try:
        with zipfile.ZipFile(file) as archive:
            modes |= _manifest(archive, errors)
            there = [one for one in FILES if modes[one] != Mode.ABSENT]
            if errors.count or not _fits(archive, there, errors):
                return modes
            for one in there:
                errors.file = one.name
                _load(session, archive, one, errors)
    except zipfile.BadZipFile as error:
        whole = errors.file == ""
        errors.add(1, "the file is not a zip archive" if whole else f"the archive is damaged here: {error}")
    except (
        zlib.error,
        EOFError,
        RuntimeError,
        NotImplementedError,
    ) as error:  # two of them: encrypted, or packed oddly
        errors.add(1, f"the file cannot be unpacked: {error}")
    return modes


def _manifest(archive: zipfile.ZipFile, errors: Errors) -> dict[File, Mode]:
    errors.file = MANIFEST
    if MANIFEST not in archive.namelist():
        errors.add(1, "the file is missing; it must be at the top of the archive, in no folder")
        return {}
    columns = {"propertyName": Column(text(200), required=True), "value": Column(text(500))}
    names = {f"file.{one.title}": one for one in FILES}
    modes: dict[File, Mode] = {}
    version = None
    with _opened(archive, MANIFEST) as content:
        for line, values in read(content, Form.CSV, columns, errors, others=True):
            name, value = values["propertyName"], values["value"] or ""
            if name == "oneroster.version":
                version = value
                if value not in VERSIONS:
                    errors.add(line, f"oneroster.version: must be {VERSIONS[0]}")
            elif name in names:
                if value.lower() not in list(Mode):
                    errors.add(line, f"{name}: must be one of {', '.join(Mode)}")
                    continue
                modes[names[name]] = Mode(value.lower())
                if modes[names[name]] != Mode.ABSENT and names[name].name not in archive.namelist():
                    errors.add(line, f"{name}: the archive has no {names[name].name}")
    if version is None and not errors.count:
        errors.add(1, "oneroster.version is missing")
    return modes


def _fits(archive: zipfile.ZipFile, files: list[File], errors: Errors) -> bool:
    size = sum(archive.getinfo(one.name).file_size for one in files)
    if size > MOST_BYTES:
        errors.add(1, f"the files have {size // 1_000_000:,} MB unpacked, more than {MOST_BYTES // 1_000_000:,}")
    return size <= MOST_BYTES


def _load(session: Session, archive: zipfile.ZipFile, file: File, errors: Errors) -> None:
    columns = {name: column for name, column, _ in file.columns}
    with _opened(archive, file.name) as content:
        lines: Iterator[tuple[int, Any]] = read(content, Form.CSV, columns, errors, others=True)
        copy_rows(session, file.table, [name.lower() for name in ["line", *columns]],
                  ((line, *values.values()) for line, values in lines))  # fmt: skip


def _opened(archive: zipfile.ZipFile, name: str) -> BinaryIO:
    return io.BufferedReader(archive.open(name), BUFFER)  # type: ignore[type-var] # reads lines faster
