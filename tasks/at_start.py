"""What every process looks at when it starts: a record kind that is wrong shows itself here, and not in a reset."""

import structlog
from sqlalchemy.exc import DBAPIError

from models.records import check_declarations, check_tables
from models.session import engine, in_words
from models.versions import version_table

log = structlog.get_logger(__name__)


def check_record_kinds() -> None:
    """Raises `RecordKindUnfitError`. A database that does not answer, or has no tables yet, is not waited for."""
    check_declarations()
    try:
        with engine().connect() as connection:
            if version_table(connection):
                check_tables(connection)
    except DBAPIError as error:
        log.warning("record_kinds_not_compared", error=in_words(error), remedy="recourse doctor does it")
