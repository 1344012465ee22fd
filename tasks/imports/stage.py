"""The stage: lines in a temporary table, checked against each other and against the database."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import psycopg
from psycopg import sql
from sqlalchemy import CursorResult, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models import audit
from models.access import Actor
from models.refusals.imports import ImportCrossed, ImportInvalid, ImportRemovesTooMuch
from tasks.imports.lines import MOST_ERRORS, Errors

LONGEST_STATEMENT = "15min"  # a million lines take longer than other work
MOST_REMOVED = 0.1  # of what there is


@dataclass(frozen=True)
class Full:
    """The file is the whole: what it does not name is removed, at most the share `most` of what there is.

    What it names is there: a user without `active` is active, an enrolment without `assigned` assigned.
    """

    most: float = MOST_REMOVED


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
    removed: Mapping[str, int] = field(default_factory=dict)  # by a full file that does not name them
    ignored: Mapping[str, int] = field(default_factory=dict)  # by reason


def copy_rows(session: Session, table: str, columns: Iterable[str], rows: Iterable[Sequence[Any]]) -> None:
    """Add the rows, values in the order of the columns, to a temporary table."""
    connection = session.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
    with connection.cursor() as cursor, cursor.copy(statement) as to:
        for row in rows:
            to.write_row(row)
    session.execute(text(f"ANALYZE {table}"))


def make_table(session: Session, table: str, columns: Mapping[str, str]) -> None:
    """Create a temporary table with a line number and these columns, names and types. It lasts for the transaction."""
    session.execute(text(f"SET LOCAL statement_timeout TO '{LONGEST_STATEMENT}'"))
    session.execute(text(f"DROP TABLE IF EXISTS pg_temp.{table}"))
    defined = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    session.execute(text(f"CREATE TEMPORARY TABLE {table} (line bigint, {defined}) ON COMMIT DROP"))


class Stage:
    """The temporary table `import_line` of one import, which lasts until the session's transaction ends."""

    def __init__(
        self,
        session: Session,
        actor: Actor,
        columns: Mapping[str, str],
        errors: Errors,
        *,
        full: Full | None = None,
    ) -> None:
        """Create the table. `columns` are names and types."""
        self.full = full
        self._session, self._actor, self._columns, self._errors = session, actor, columns, errors
        make_table(session, "import_line", columns)

    def fill(self, rows: Iterable[Sequence[Any]]) -> None:
        """Add the rows: a line number, and a value for each column."""
        copy_rows(self._session, "import_line", ["line", *self._columns], rows)

    def fill_from(self, query: str) -> None:
        """Add the rows of a query: a line number, and a value for each column."""
        names = ", ".join(["line", *self._columns])
        self._session.execute(text(f"INSERT INTO import_line ({names}) {query}"), self._values)
        self._session.execute(text("ANALYZE import_line"))

    def wait_for_others(self) -> None:
        """Wait until no other import of the organization checks or writes: what is checked then stays as it is.

        Only imports wait for each other. Call it once the lines are here.
        """
        before = self._session.scalar(text("SHOW lock_timeout"))
        self._session.execute(text(f"SET LOCAL lock_timeout TO '{LONGEST_STATEMENT}'"))
        key = text("SELECT pg_advisory_xact_lock(hashtextextended('recourse import ' || :organization, 0))")
        self._session.execute(key, {"organization": str(self._actor.organization_id)})
        self._session.execute(text("SELECT set_config('lock_timeout', :before, true)"), {"before": before})

    def check(self, query: str) -> None:
        """Add the errors that the query finds, as rows of `line` and `wrong`.

        It may use `:organization`, `:actor`,
        `:permissions`, `:full`.
        """
        # The window counts all errors, of which only the first are fetched.
        found = self._session.execute(
            text(
                f"SELECT line, wrong, count(*) OVER () FROM ({query}) AS found ORDER BY line, wrong LIMIT {MOST_ERRORS}"
            ),
            self._values,
        ).all()
        for place, (line, wrong, count) in enumerate(found, 1):
            self._errors.add(line, wrong, also=count - len(found) if place == len(found) else 0)

    def check_next(self, query: str) -> None:
        """Add the errors that the query finds, unless there are some that it would only repeat."""
        if not self._errors.count:
            self.check(query)

    def refuse_what_is_wrong(self) -> None:
        """Raises `ImportInvalid` if there are errors."""
        refuse_what_is_wrong(self._errors)

    def brake(self, what: str, removed: int, of: str) -> None:
        """Raises `ImportRemovesTooMuch` if a full file would remove too many of those that the query `of` counts."""
        if self.full and removed and removed > self.full.most * (there := self.ask(of)):
            raise ImportRemovesTooMuch(what, removed, there, self.full.most)

    def prepare(self, table: str, query: str, *, by: str = "") -> int:
        """Keep the rows of the query in a temporary table. Returns how many there are.

        `by` are columns that other tables' rows are looked up by. Without an index of them, a plan made while that
        other table was small, or had no statistics yet, reads this table once for each of the other's rows.
        """
        self._session.execute(text(f"DROP TABLE IF EXISTS pg_temp.{table}"))
        self._session.execute(text(f"CREATE TEMPORARY TABLE {table} ON COMMIT DROP AS {query}"), self._values)
        if by:
            self._session.execute(text(f"CREATE INDEX ON pg_temp.{table} ({by})"))
        self._session.execute(text(f"ANALYZE {table}"))
        return self.ask(f"SELECT count(*) FROM {table}")

    def make(self, table: str, columns: str) -> None:
        """Create an empty temporary table."""
        self._session.execute(text(f"DROP TABLE IF EXISTS pg_temp.{table}"))
        self._session.execute(text(f"CREATE TEMPORARY TABLE {table} ({columns}) ON COMMIT DROP"))

    def write(self, statement: str) -> int:
        """Run an INSERT, UPDATE or DELETE. Returns the number of rows.

        Raises `ImportCrossed` if someone took a name meanwhile that must be unique.
        """
        try:
            result = self._session.execute(text(statement), self._values)
        except IntegrityError as error:
            if isinstance(error.orig, psycopg.errors.UniqueViolation):
                raise ImportCrossed from None
            raise
        return cast("CursorResult[tuple[()]]", result).rowcount

    def add(self, statement: str, expected: int) -> int:
        """Run an INSERT that skips what others added meanwhile. Returns the number of rows.

        Raises `ImportCrossed` if there are not as many as expected.
        """
        added = self.write(statement)
        if added != expected:
            raise ImportCrossed
        return added

    def ask(self, query: str) -> int:
        """Returns the number that the query selects."""
        return int(self._session.execute(text(query), self._values).scalar_one())

    def ask_each(self, query: str) -> dict[str, int]:
        """Returns the numbers that the query selects, by the name of the column, except 0."""
        row = self._session.execute(text(query), self._values).mappings().one()
        return {name: int(count) for name, count in row.items() if count}

    def done(
        self,
        what: str,
        counts: Mapping[str, Count],
        *,
        removed: Mapping[str, int] | None = None,
        ignored: Mapping[str, int] | None = None,
        lines: int | None = None,
    ) -> Imported:
        """Record the import in the audit. Returns its result."""
        lines = self.ask("SELECT count(DISTINCT line) FROM import_line") if lines is None else lines
        imported = Imported(lines, counts, removed or {}, ignored or {})
        organization = self._actor.organization_id
        figures: dict[str, Any] = {name: {"new": one.new, "changed": one.changed} for name, one in counts.items()}
        figures |= {"removed": imported.removed} if imported.removed else {}
        figures |= {"ignored": imported.ignored} if imported.ignored else {}
        audit.record(
            self._session, self._actor, f"{what}.imported", organization, organization, lines=imported.lines, **figures
        )
        return imported

    @property
    def _values(self) -> dict[str, Any]:
        return {
            "organization": self._actor.organization_id,
            "actor": self._actor.user_id,
            "permissions": [str(permission) for permission in self._actor.permissions],
            "full": bool(self.full),
        }


def refuse_what_is_wrong(errors: Errors) -> None:
    """Raises `ImportInvalid` if there are errors."""
    if errors.count:
        raise ImportInvalid(errors.first, errors.count - len(errors.first))
