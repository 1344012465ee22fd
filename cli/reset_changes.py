"""The commands that change a reset: cancel, move and retry-failed."""

from datetime import datetime
from typing import Annotated

import typer

from cli.acting_as import reset_and_actor
from cli.options import As, AsJson, ResetId, Watch, moment
from cli.reset_tables import print_reset
from cli.servers_and_database import servers_and_database
from cli.watch import follow, watch
from models.session import transaction
from tasks.reset.cancel import cancel
from tasks.reset.move import move
from tasks.reset.retry_failed import retry_failed

app = typer.Typer()


@app.command("cancel")
def cancel_command(reset: ResetId, as_: As = None, as_json: AsJson = False) -> None:
    """Stop a reset. Learners who are already reset stay reset; no others are."""
    with servers_and_database() as workers:
        with transaction() as session:
            found, who = reset_and_actor(session, reset, as_)
            cancel(session, who, found)
        workers.ensure()
        watch(found.id, workers)
        print_reset(found.id, as_json=as_json, judge=False)


@app.command("move")
def move_command(
    reset: ResetId,
    at: Annotated[
        datetime | None,
        typer.Option(parser=moment, metavar="TIME", help="The new start, such as 2027-03-01T06:00+01:00; else UTC."),
    ] = None,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="The new reason.")] = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Move a planned reset to another time, or change its reason, before it begins. `recourse cancel` cancels it."""
    if at is None and reason is None:
        raise typer.BadParameter("Say what to change with --at or --reason.")
    with servers_and_database():
        with transaction() as session:
            found, who = reset_and_actor(session, reset, as_)
            move(session, who, found, start_at=at, reason=reason)
        print_reset(found.id, as_json=as_json, judge=False)


@app.command("retry-failed")
def retry_failed_command(reset: ResetId, watch_it: Watch = False, as_json: AsJson = False, as_: As = None) -> None:
    """Retry the failed learners of a reset."""
    with servers_and_database() as workers:
        with transaction() as session:
            found, who = reset_and_actor(session, reset, as_)
            retry_failed(session, who, found)
        follow(found.id, workers, watch_it=watch_it, as_json=as_json)
