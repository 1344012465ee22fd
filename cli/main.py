"""The command `recourse`. Turns errors into sentences."""

import signal
import sys
from typing import Any

import typer

from cli.commands import LazyGroup
from config.log import log_to_stderr

HELP = """Reset the progress of training courses, as a job that cannot half-happen.

Without RECOURSE_DATABASE_URL and RECOURSE_BROKER_URL it starts its own PostgreSQL and Redis, in the folder .recourse.
While `recourse up` is running, every other command uses its servers and its worker.

Exit status: 0 done · 1 a reset failed in part or whole, or was cancelled · 2 refused; nothing was changed.
"""


class Commands(LazyGroup):
    """All commands, with a log on stderr."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        log_to_stderr()
        return super().invoke(ctx)


app = typer.Typer(
    cls=Commands,
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def recourse() -> None:
    """Make `app` a group."""


def main() -> None:
    """Run the command line. Prints refusals and errors as sentences on stderr."""
    for number in (signal.SIGTERM, signal.SIGHUP):  # so that `finally` runs, as for Ctrl-C
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        app()
    except Exception as error:
        from cli.errors import ended_by, say  # loads the libraries whose errors it knows

        ended = ended_by(error)
        if ended is None:
            raise
        say(ended.sentence)
        sys.exit(ended.status)


if __name__ == "__main__":
    main()
