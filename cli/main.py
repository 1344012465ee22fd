"""The command `recourse`: puts its commands together, and turns errors into sentences."""

import signal
import sys
from typing import NoReturn

import psycopg
import structlog
import typer
from kombu.exceptions import OperationalError as BrokerError
from pydantic import ValidationError

from cli import (
    analytics,
    database,
    demo,
    doctor,
    events,
    files,
    groups,
    imports,
    organizations,
    participants,
    pauses,
    resets,
    rules,
    sign_on,
    tokens,
    users,
    webhooks,
)
from cli.hints import with_hint
from cli.local import LocalServersError, where
from cli.local.child import ChildEndedError
from cli.local.errors import disk_full
from cli.local.place import place_of
from cli.local.space import is_full
from cli.servers_and_database import DatabaseBehindError
from cli.terminal import notes
from cli.up import command as up
from config.settings import MissingSettingError, settings
from models.disks import full_disk
from models.grants import RoleUnfitError
from models.records import RecordKindUnfitError
from models.refusals.base import Refused
from models.session import DBAPIError, in_words, is_connection_lost, is_lock_timeout
from models.versions import DatabaseUnfitError

REFUSED = 2
RESTARTS = "If `recourse up` is running, it restarts it: try again in a moment. `recourse doctor` says what is wrong."
HELP = """Reset the progress of training courses, as a job that cannot half-happen.

Without RECOURSE_DATABASE_URL and RECOURSE_BROKER_URL it starts its own PostgreSQL and Redis, in the folder .recourse.
While `recourse up` is running, every other command uses its servers and its worker.

Exit status: 0 done · 1 a reset failed in part or whole, or was cancelled · 2 refused; nothing was changed.
"""

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for commands in (
    demo.app,
    up.app,
    doctor.app,
    resets.app,
    pauses.app,
    rules.app,
    events.app,
    participants.app,
    analytics.app,
    imports.app,
    organizations.app,
    users.app,
    sign_on.app,
    groups.app,
    tokens.app,
    webhooks.app,
    files.app,
    database.app,
):
    app.registered_commands += commands.registered_commands
    app.registered_groups += commands.registered_groups


def main() -> None:
    """Run the command line. Prints refusals and errors as sentences on stderr."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout is for the answer
    for number in (signal.SIGTERM, signal.SIGHUP):  # so that `finally` runs, as for Ctrl-C
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        app()
    except Refused as refusal:
        _refuse(with_hint(refusal))
    except (LocalServersError, MissingSettingError) as error:
        _refuse(str(error))
    except (DatabaseBehindError, DatabaseUnfitError, RecordKindUnfitError, RoleUnfitError) as error:
        _refuse(str(error))
    except ChildEndedError as error:  # a requested reset goes on with the next worker
        _say(str(error))
        sys.exit(1)
    except ValidationError as error:
        _refuse("\n".join(_setting_error(one["loc"], one["msg"]) for one in error.errors()))
    except BrokerError as error:
        check = RESTARTS if _is_ours("broker") else "Check RECOURSE_BROKER_URL."
        _say(f"The broker does not answer: {error}\n{check} Requested resets are kept.")
        sys.exit(1)
    except OSError as error:
        if full_disk(error) is None:
            raise
        _refuse(f"The disk is full: {error}. Free some space there, and try again.")
    except (DBAPIError, psycopg.Error) as error:  # an import uses the driver itself
        _refuse(_database_error(error))


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


def _refuse(sentence: str) -> NoReturn:
    _say(sentence)
    sys.exit(REFUSED)


def _say(sentence: str) -> None:
    notes.print(sentence, style="red", markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
