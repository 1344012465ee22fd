"""Load the files into temporary tables, where PostgreSQL checks each value."""

import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import psycopg
from psycopg import errors
from sqlalchemy import text
from sqlalchemy.orm import Session

from tasks.imports.oulad.files import DOMAINS, FILES, File, MalformedFile

BLOCK = 256 * 1024  # bytes


def read_files(session: Session, folder: Path, progress: Callable[[str], None]) -> None:
    """Load every file in `folder` into its temporary table. Raises `MalformedFile`."""
    for name, (definition, _) in DOMAINS.items():
        session.execute(text(f"CREATE DOMAIN pg_temp.{name} AS {definition}"))
    for file in FILES:
        progress(f"Reading {file.name}")
        columns = ", ".join(f"{column} pg_temp.{domain}" for column, domain in file.columns.items())
        session.execute(
            text(
                # COPY keeps the order of rows, so a row's number is its line; the header is line 1.
                f"CREATE TEMPORARY TABLE {file.table} (line bigint GENERATED ALWAYS AS IDENTITY (START WITH 2), "
                f"{columns}, PRIMARY KEY ({', '.join(file.key)}))"
            )
        )
        _copy(session, file, folder / file.name)
        session.execute(text(f"ANALYZE {file.table}"))


def _copy(session: Session, file: File, path: Path) -> None:
    connection = session.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    columns = f"({', '.join(file.columns)})"
    options = f"FORMAT csv, HEADER match, NULL '?', FORCE_NULL {columns}, ENCODING 'UTF8'"
    statement = f"COPY {file.table} {columns} FROM STDIN ({options})"
    try:
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for block in _without_end_mark(file, _blocks(path)):
                copy.write(block)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise _malformed(file, error) from error


def _blocks(path: Path) -> Iterator[bytes]:
    """Yields the file in blocks, so that memory use does not depend on its size. Raises `MalformedFile`."""
    try:
        with path.open("rb") as file:
            block = file.read(BLOCK).removeprefix(codecs.BOM_UTF8)  # spreadsheets write it
            if not block:
                raise MalformedFile(path.name, "the file is empty")
            while block:
                yield block
                block = file.read(BLOCK)
    except FileNotFoundError:
        raise MalformedFile(path.name, f"there is no such file in {path.parent}") from None
    except OSError as error:
        raise MalformedFile(path.name, f"the file cannot be read ({error.strerror})") from error


# Before version 18, COPY takes such a line for the end of the file, and drops what follows.
END_MARK = re.compile(rb"^\\\.\r?$", re.MULTILINE)


def _without_end_mark(file: File, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the blocks. Raises `MalformedFile` if a line is an end mark, `\\.`."""
    lines, begun = 1, b""
    for block in blocks:
        ended, _, begun = (begun + block).rpartition(b"\n")
        _refuse_end_mark(file, ended, lines)
        lines += block.count(b"\n")
        begun = begun[:4]  # of the line that goes on in the next block: a longer one is no mark
        yield block
    _refuse_end_mark(file, begun, lines)


def _refuse_end_mark(file: File, text: bytes, first_line: int) -> None:
    if mark := END_MARK.search(text):
        column, domain = next(iter(file.columns.items()))
        line = first_line + text.count(b"\n", 0, mark.start())
        raise MalformedFile(file.name, f'"\\\\." is not {DOMAINS[domain][1]}', line, column)


# Such as `COPY oulad_submission, line 123, column score: "abc"`, or a translation of it.
CONTEXT = re.compile(r"COPY \w+\D+(?P<line>\d+)(?:, \w+ (?P<column>\w+): .(?P<value>.*).)?", re.DOTALL)


def _malformed(file: File, error: psycopg.Error) -> MalformedFile:
    """Returns the refusal for an error of COPY, in terms of the file."""
    message = error.diag.message_primary or str(error)
    place = CONTEXT.match(error.diag.context or "")
    if place is None:
        return MalformedFile(file.name, message)

    line, column = int(place["line"]), place["column"]
    if column:
        value = "?" if isinstance(error, errors.NotNullViolation) else place["value"]
        must_be = DOMAINS[file.columns[column]][1]
        return MalformedFile(file.name, f"{json.dumps(value, ensure_ascii=False)} is not {must_be}", line, column)
    if isinstance(error, errors.UniqueViolation):
        key = " and ".join(file.key)
        return MalformedFile(file.name, f"an earlier line has the same {key}", line, file.key[-1])
    if isinstance(error, errors.CharacterNotInRepertoire):
        return MalformedFile(file.name, "the text is not UTF-8", line)
    if line == 1:
        return MalformedFile(file.name, f"the header is not {','.join(file.columns)}", line)
    if missing := re.search(r'missing data for column "(\w+)"', message):
        return MalformedFile(file.name, "the line ends before this column", line, missing[1])
    if "extra data" in message:
        return MalformedFile(file.name, f"the line has more than {len(file.columns)} columns", line)
    if "unterminated" in message:
        return MalformedFile(
            file.name, "the file ends within a quoted value that begins on this or an earlier line", line
        )
    return MalformedFile(file.name, message, line)


def drop_files(session: Session) -> None:
    """Drop the temporary tables and domains: they last as long as the connection, which others use next."""
    session.execute(text(f"DROP TABLE {', '.join(file.table for file in FILES)}"))
    session.execute(text(f"DROP DOMAIN {', '.join(DOMAINS)}"))
