"""The schema version of the database, and whether its tables are ours."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import ProgrammingError

from models.base import Base

VERSION_TABLE = "recourse_version"
# Alembic's default, which we used until 0005 and other applications still use.
USUAL_TABLE = "alembic_version"
# The suite runs on the oldest and the newest.
OLDEST_POSTGRES, NEWEST_POSTGRES = 15, 18
SUPPORTED_POSTGRES = f"PostgreSQL {OLDEST_POSTGRES} to {NEWEST_POSTGRES}"
_MIGRATIONS = Path(__file__).parent / "migrations" / "versions"
_OURS_BY_THE_USUAL_NAME = {"0001", "0002", "0003", "0004", "0005"}


class DatabaseUnfitError(Exception):
    """The database cannot be used as it is. The message says why, and what to do."""


def newest_migration() -> str:
    """Returns the migration that this program needs, from the names of the files: loading all of them for Alembic takes
    longer than most commands do."""
    return max(_migrations())


def is_later(version: str) -> bool:
    """Returns whether a later release has migrated the tables: this program does not have their migration."""
    return version not in _migrations()


def _migrations() -> set[str]:
    return {path.name.partition("_")[0] for path in _MIGRATIONS.glob("[0-9]*_*.py")}


def current_version(connection: Connection) -> str | None:
    """Returns the migration that our tables are at, `None` if there are no tables of ours.

    Raises `DatabaseUnfitError` if this role may not read it.
    """
    if not (table := version_table(connection)):
        return None
    try:
        with connection.begin_nested():
            version: str | None = connection.scalar(text(f"SELECT version_num FROM {table}"))  # noqa: S608 - our names
    except ProgrammingError:
        role = connection.scalar(text("SELECT current_user"))
        raise DatabaseUnfitError(
            f"The role {role} may not read Recourse's tables. Have their owner run `recourse database grant {role}`."
        ) from None
    return version


def server_version(connection: Connection) -> tuple[int, str]:
    """Returns PostgreSQL's major version, such as 18, and the whole version in words."""
    query = "SELECT current_setting('server_version_num')::int / 10000, current_setting('server_version')"
    major, version = connection.execute(text(query)).one()
    return major, version


def version_table(connection: Connection) -> str | None:
    """Returns the name of our version table, `None` if there are no tables of ours."""
    # One plain query: SQLAlchemy's own for a table takes longer to build than the rest of the check.
    names = {"ours": VERSION_TABLE, "usual": USUAL_TABLE}
    ours, usual, items = connection.execute(_WHICH_TABLES, names).one()
    if ours:
        return VERSION_TABLE
    # Another application's migrations may also be called 0001, but it has no table of reset items.
    if not usual or not items:
        return None
    versions = set(connection.scalars(text(f"SELECT version_num FROM {USUAL_TABLE}")))  # noqa: S608
    return USUAL_TABLE if versions <= _OURS_BY_THE_USUAL_NAME else None


_WHICH_TABLES = text(
    "SELECT to_regclass(:ours) IS NOT NULL, to_regclass(:usual) IS NOT NULL, to_regclass('reset_item') IS NOT NULL"
)


def stranger(connection: Connection, *, schema_was_chosen: bool) -> str | None:
    """Returns a sentence about another application in our schema, `None` if there is room for our tables.

    In a schema that was chosen by a setting, only tables with our names are a problem, and not its version table.
    """
    if version_table(connection):
        return None
    found = inspect(connection)
    schema = connection.scalar(text("SELECT current_schema()"))
    taken = sorted({table.name for table in Base.metadata.tables.values()} & set(found.get_table_names(schema)))
    alembics = found.has_table(USUAL_TABLE, schema)
    if not taken and (schema_was_chosen or not alembics):
        return None
    signs = []
    if alembics:
        version = connection.scalar(text(f"SELECT string_agg(version_num, ', ') FROM {USUAL_TABLE}"))  # noqa: S608
        signs.append(f"its Alembic version table {USUAL_TABLE} is at {version or 'none'}")
    if taken:
        signs.append(f"it has {'a table' if len(taken) == 1 else 'tables'} {', '.join(taken[:5])} of its own")
    other = "recourse" if schema != "recourse" else "recourse_tables"
    return (
        f"The schema {schema} of this database belongs to another application: {' and '.join(signs)}. Give Recourse "
        f"its own schema: set RECOURSE_DATABASE_SCHEMA={other}, and run `recourse database upgrade`."
    )
