"""The answers to database errors."""

from fastapi import Request
from fastapi.responses import Response

from config.languages import translatable
from config.log import logger
from models.disks import full_disk
from models.session import DBAPIError, in_words, is_connection_lost, is_unstorable
from web.problems.answers import answer
from web.problems.kinds import KINDS
from web.problems.last_resort import unexpected

log = logger(__name__)

LOCKED = ("55P03", "57014", "40P01", "40001")  # lock or statement timeout, deadlock, serialization failure


def database_error(request: Request, error: Exception) -> Response:
    """Returns 422 for a value that cannot be stored, 503 for a lost connection or a lock; else the last resort."""
    assert isinstance(error, DBAPIError)
    if is_unstorable(error):
        words = translatable(
            "A value contains a character or a number that cannot be stored. Correct it and send it again."
        )
        return answer(request, 422, "request-invalid", words)
    if full_disk(error):
        return unexpected(request, error)
    if is_connection_lost(error):
        log.warning("database_away", error=in_words(error))
        return _try_again(request, "unavailable", KINDS["unavailable"].meaning)
    if getattr(error.orig, "sqlstate", None) in LOCKED:
        words = translatable("Another request or job is working on this. Nothing was changed. Try again in a moment.")
        return _try_again(request, "busy", words)
    return unexpected(request, error)


def no_connection(request: Request, _: Exception) -> Response:
    """Returns 503: every connection to the database was in use until the wait timed out."""
    words = translatable("The server has more requests than it can answer. Nothing was changed. Try again in a moment.")
    return _try_again(request, "busy", words)


def _try_again(request: Request, code: str, detail: str) -> Response:
    return answer(request, KINDS[code].status, code, detail, headers={"Retry-After": "5"})
