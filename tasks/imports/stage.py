"""The stage: lines in a temporary table, checked against each other and against the database."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import psycopg
from psycopg import sql
from sqlalchemy import CursorResult, text
from sqlalchemy.orm import Session

from models import audit
from models.access import Actor
from models.refusals.imports import ImportInvalid
from tasks.imports.lines import MOST_ERRORS, Errors

LONGEST_STATEMENT = "15min"  # a million lines take longer than other work


@dataclass(frozen=True)
class Count:
    """How many rows a file holds, and how many of them were new or changed."""

    in_file: int
    new: int
    changed: int

    @property
    def unchanged(self) -> int:
        """The rows that the database already had."""
        return self.in_file - self.new - self.changed


@dataclass(frozen=True)
class Imported:
    """The result of an import, by what the file holds."""

    lines: int
    counts: Mapping[str, Count]


class Stage:
    """The temporary table `import_line` of one import, which lasts until the session's transaction ends."""

    def __init__(self, session: Session, actor: Actor, columns: Mapping[str, str], errors: Errors) -> None:
        """Create the table. `columns` are names and types."""
        self._session, self._actor, self._columns, self._errors = session, actor, columns, errors
        session.execute(text(f"SET LOCAL statement_timeout TO '{LONGEST_STATEMENT}'"))
        session.execute(text("DROP TABLE IF EXISTS pg_temp.import_line"))
        defined = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        session.execute(text(f"CREATE TEMPORARY TABLE import_line (line bigint, {defined}) ON COMMIT DROP"))

    def fill(self, rows: Iterable[Sequence[Any]]) -> None:
        """Add the rows: a line number, and a value for each column."""
        connection = self._session.connection().connection.driver_connection
        assert isinstance(connection, psycopg.Connection)
        names = sql.SQL(", ").join(map(sql.Identifier, ["line", *self._columns]))
        with (
            connection.cursor() as cursor,
            cursor.copy(sql.SQL("COPY import_line ({}) FROM STDIN").format(names)) as to,
        ):
            for row in rows:
                to.write_row(row)
        self._session.execute(text("ANALYZE import_line"))

    def check(self, query: str) -> None:
        """Add the errors that the query finds, as rows of `line` and `wrong`. It may use `:organization`, `:actor`."""
        # The window counts all errors, of which only the first are fetched.
        found = self._session.execute(
            text(f"SELECT line, wrong, count(*) OVER () FROM ({query}) AS found ORDER BY line LIMIT {MOST_ERRORS}"),
            self._values,
        ).all()
        for place, (line, wrong, count) in enumerate(found, 1):
            self._errors.add(line, wrong, also=count - len(found) if place == len(found) else 0)

    def refuse_what_is_wrong(self) -> None:
        """Raises `ImportInvalid` if there are errors."""
        if self._errors.count:
            raise ImportInvalid(self._errors.first, self._errors.count - len(self._errors.first))

    def prepare(self, table: str, query: str) -> None:
        """Keep the rows of the query in a temporary table."""
        self._session.execute(text(f"DROP TABLE IF EXISTS pg_temp.{table}"))
        self._session.execute(text(f"CREATE TEMPORARY TABLE {table} ON COMMIT DROP AS {query}"), self._values)
        self._session.execute(text(f"ANALYZE {table}"))

    def write(self, statement: str) -> int:
        """Run an INSERT or UPDATE. Returns the number of rows."""
        return cast("CursorResult[tuple[()]]", self._session.execute(text(statement), self._values)).rowcount

    def ask(self, query: str) -> int:
        """Returns the number that the query selects."""
        return int(self._session.execute(text(query), self._values).scalar_one())

    def done(self, what: str, counts: Mapping[str, Count]) -> Imported:
        """Record the import in the audit. Returns its result."""
        imported = Imported(self.ask("SELECT count(DISTINCT line) FROM import_line"), counts)
        organization = self._actor.organization_id
        figures = {name: {"new": count.new, "changed": count.changed} for name, count in counts.items()}
        audit.record(
            self._session, self._actor, f"{what}.imported", organization, organization, lines=imported.lines, **figures
        )
        return imported

    @property
    def _values(self) -> dict[str, Any]:
        return {"organization": self._actor.organization_id, "actor": self._actor.user_id}
