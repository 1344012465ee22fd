"""The stage: lines in a temporary table, where they are checked against each other and against what is there."""

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
from tasks.imports.lines import ERRORS_TOLD, Errors

LONGEST_STATEMENT = "15min"  # a million lines take longer than other work does


@dataclass(frozen=True)
class Count:
    """How many a file holds, and how many of them were new or differed."""

    in_file: int
    new: int
    changed: int

    @property
    def unchanged(self) -> int:
        """Those that were there as the file says."""
        return self.in_file - self.new - self.changed


@dataclass(frozen=True)
class Imported:
    """What an import did, by what the file holds."""

    lines: int
    counts: Mapping[str, Count]


class Stage:
    """The temporary table `import_line` of one import, in the session's transaction. It goes with the transaction."""

    def __init__(self, session: Session, actor: Actor, columns: Mapping[str, str], errors: Errors) -> None:
        """`columns` are names and types."""
        self._session, self._actor, self._columns, self._errors = session, actor, columns, errors
        session.execute(text(f"SET LOCAL statement_timeout TO '{LONGEST_STATEMENT}'"))
        session.execute(text("DROP TABLE IF EXISTS pg_temp.import_line"))
        defined = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        session.execute(text(f"CREATE TEMPORARY TABLE import_line (line bigint, {defined}) ON COMMIT DROP"))

    def fill(self, rows: Iterable[Sequence[Any]]) -> None:
        """Take the rows: the line, and a value for each column."""
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
        """Note what the query finds wrong: rows of `line` and what is wrong with it. It may use `:organization`."""
        # The window counts all that the query finds, of which only the first are fetched.
        found = self._session.execute(
            text(f"SELECT line, wrong, count(*) OVER () FROM ({query}) AS found ORDER BY line LIMIT {ERRORS_TOLD}"),
            self._values,
        ).all()
        for place, (line, wrong, count) in enumerate(found, 1):
            self._errors.add(line, wrong, also=count - len(found) if place == len(found) else 0)

    def refuse_what_is_wrong(self) -> None:
        """Raises `ImportInvalid` if anything was."""
        if self._errors.count:
            raise ImportInvalid(self._errors.told, self._errors.count - len(self._errors.told))

    def prepare(self, table: str, query: str) -> None:
        """Keep what the query finds as a temporary table."""
        self._session.execute(text(f"DROP TABLE IF EXISTS pg_temp.{table}"))
        self._session.execute(text(f"CREATE TEMPORARY TABLE {table} ON COMMIT DROP AS {query}"), self._values)
        self._session.execute(text(f"ANALYZE {table}"))

    def write(self, statement: str) -> int:
        """Run an INSERT or UPDATE. Gives the number of rows."""
        return cast("CursorResult[tuple[()]]", self._session.execute(text(statement), self._values)).rowcount

    def ask(self, query: str) -> int:
        """One number."""
        return int(self._session.execute(text(query), self._values).scalar_one())

    def done(self, what: str, counts: Mapping[str, Count]) -> Imported:
        """Note it in the audit, and say what was done."""
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
