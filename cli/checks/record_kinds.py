"""The record kinds: each is declared correctly and has its table."""

from cli.checks.finding import FaultyError, Places
from models.records import RecordKindUnfitError, check_declarations, check_tables, record_kinds
from models.session import engine


def check(_: Places) -> str:
    try:
        check_declarations()
        with engine().connect() as connection:
            check_tables(connection)
    except RecordKindUnfitError as error:
        says, _separator, remedy = str(error).rstrip().rpartition(". ")
        raise FaultyError(says, remedy) from None
    return ", ".join(kind.kind() for kind in record_kinds())
