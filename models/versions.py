"""Which version the tables in the database have, and whether they are ours at all."""

from sqlalchemy import Connection, Inspector, inspect, text
from sqlalchemy.exc import ProgrammingError

from models.base import Base

VERSION_TABLE = "recourse_version"
# What Alembic calls it if nobody says otherwise: ours until 0005, and any other application's.
USUAL_TABLE = "alembic_version"
_OURS_BY_THE_USUAL_NAME = {"0001", "0002", "0003", "0004", "0005"}


class DatabaseUnfitError(Exception):
    """The database cannot be used as it is. Its words say why, and what to do."""


def current_version(connection: Connection) -> str | None:
    """The migration that our tables are at; none where there are no tables of ours.

    Raises `DatabaseUnfitError` where this role may not see it.
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
    """Returns PostgreSQL's version as a number, such as 180001, and in words."""
    query = "SELECT current_setting('server_version_num')::int, current_setting('server_version')"
    number, version = connection.execute(text(query)).one()
    return number, version


def version_table(connection: Connection) -> str | None:
    """The table that has the version; none where there are no tables of ours."""
    there = inspect(connection)
    if there.has_table(VERSION_TABLE):
        return VERSION_TABLE
    return USUAL_TABLE if _usual_table_is_ours(connection, there) else None


def _usual_table_is_ours(connection: Connection, there: Inspector) -> bool:
    # Somebody else's first migration may be called 0001, too, but has no ledger of resets beside it.
    if not there.has_table(USUAL_TABLE) or not there.has_table("reset_item"):
        return False
    return set(connection.scalars(text(f"SELECT version_num FROM {USUAL_TABLE}"))) <= _OURS_BY_THE_USUAL_NAME  # noqa: S608


def stranger(connection: Connection, *, schema_was_chosen: bool) -> str | None:
    """A sentence about another application whose tables are where ours would be made; none where there is room.

    Its own version table is no hindrance where somebody has chosen this very schema; tables of our names are.
    """
    if version_table(connection):
        return None
    there = inspect(connection)
    schema = connection.scalar(text("SELECT current_schema()"))
    taken = sorted({table.name for table in Base.metadata.tables.values()} & set(there.get_table_names(schema)))
    alembics = there.has_table(USUAL_TABLE, schema)
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
        f"a schema to itself: set RECOURSE_DATABASE_SCHEMA={other}, and run `recourse database upgrade`."
    )
