"""The migrations: the tables are at this program's version."""

from cli.checks.finding import FaultyError, Places
from config.settings import settings
from models.session import engine
from models.versions import DatabaseUnfitError, current_version, newest_migration, stranger


def check(_: Places) -> str:
    with engine().connect() as connection:
        try:
            current = current_version(connection)
        except DatabaseUnfitError as error:
            raise FaultyError("the tables cannot be read", str(error)) from None
        wrong = None if current else stranger(connection, schema_was_chosen=settings().database_schema is not None)
    newest = newest_migration()
    if wrong:
        raise FaultyError("there are no tables of Recourse, and no room for them", wrong)
    if current != newest:
        at = f"at {current}" if current else "there are no tables yet"
        raise FaultyError(f"{at}; this program needs {newest}", "Run `recourse database upgrade`.")
    return f"at {newest}, the newest"
