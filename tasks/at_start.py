"""Checks when a process starts, so that a wrong record kind is found here and not during a reset."""

from sqlalchemy.exc import DBAPIError

from config.log import logger
from models.records import check_declarations, check_tables
from models.session import engine, in_words
from models.versions import version_table

log = logger(__name__)


def check_record_kinds() -> None:
    """Raise `RecordKindUnfitError` if a record kind is wrong. Skips the tables if the database is away or empty."""
    check_declarations()
    try:
        with engine().connect() as connection:
            if version_table(connection):
                check_tables(connection)
    except DBAPIError as error:
        log.warning("record_kinds_not_compared", error=in_words(error), remedy="run `recourse doctor`")
