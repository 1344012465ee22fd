"""Errors that end a command, as sentences."""

from dataclasses import dataclass

import psycopg
from kombu.exceptions import OperationalError as BrokerError
from pydantic import ValidationError

from cli.hints import with_hint
from cli.local import LocalServersError, where
from cli.local.child import ChildEndedError
from cli.local.errors import disk_full
from cli.local.place import place_of
from cli.local.space import is_full
from cli.servers_and_database import DatabaseBehindError
from cli.terminal import notes
from config.settings import MissingSettingError, settings
from models.disks import full_disk
from models.grants import RoleUnfitError
from models.records import RecordKindUnfitError
from models.refusals.base import Refused
from models.session import DBAPIError, in_words, is_connection_lost, is_lock_timeout
from models.versions import DatabaseUnfitError

FAILED, REFUSED = 1, 2
RESTARTS = "If `recourse up` is running, it restarts it: try again in a moment. `recourse doctor` says what is wrong."


@dataclass(frozen=True)
class Ended:
    """What to say at the end of a command, and its exit status."""

    sentence: str
    status: int = REFUSED


def ended_by(error: Exception) -> Ended | None:
    """Returns how the error ends the command, `None` if it is a fault of the program."""
    match error:
        case Refused():
            return Ended(with_hint(error))
        case LocalServersError() | MissingSettingError():
            return Ended(str(error))
        case DatabaseBehindError() | DatabaseUnfitError() | RecordKindUnfitError() | RoleUnfitError():
            return Ended(str(error))
        case ChildEndedError():  # a requested reset goes on with the next worker
            return Ended(str(error), FAILED)
        case ValidationError():
            return Ended("\n".join(_setting_error(one["loc"], one["msg"]) for one in error.errors()))
        case BrokerError():
            check = RESTARTS if _is_ours("broker") else "Check RECOURSE_BROKER_URL."
            return Ended(f"The broker does not answer: {error}\n{check} Requested resets are kept.", FAILED)
        case OSError() if full_disk(error) is not None:
            return Ended(f"The disk is full: {error}. Free some space there, and try again.")
        case DBAPIError() | psycopg.Error():  # an import uses the driver itself
            return Ended(_database_error(error))
    return None


def say(sentence: str) -> None:
    """Print the sentence on stderr."""
    notes.print(sentence, style="red", markup=False, highlight=False, soft_wrap=True)


def _database_error(error: DBAPIError | psycopg.Error) -> str:
    ours = _is_ours("database")
    driver = error.orig if isinstance(error, DBAPIError) else error
    lost = is_connection_lost(error) or (isinstance(driver, psycopg.OperationalError) and driver.sqlstate is None)
    if full_disk(error) or (lost and ours and is_full(settings().home)):
        if ours:
            return disk_full(place_of(settings().home.absolute()).folder)
        return "The database's disk is full. Free some space there, and try again. Nothing was changed."
    if lost:
        remedy = RESTARTS if ours else "Check RECOURSE_DATABASE_URL and the server."
        return f"The database does not answer: {driver}\n{remedy}"
    if isinstance(error, DBAPIError) and is_lock_timeout(error):
        return f"Another command or job is changing the same rows: {in_words(error)}. Try again."
    return f"The database refused this: {in_words(error)}. `recourse doctor` checks its tables and rights."


def _is_ours(server: str) -> bool:
    """Returns whether this program started the server itself."""
    ours = getattr(where(settings().home), server)
    return bool(getattr(settings(), f"{server}_url") == ours)


def _setting_error(place: tuple[int | str, ...], words: str) -> str:
    # An error that concerns two settings has no place, and names them itself.
    return f"RECOURSE_{'_'.join(map(str, place)).upper()}: {words}" if place else words.removeprefix("Value error, ")
