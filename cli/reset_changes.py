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
from tasks.reset.move import Changes, move
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
    due_in_days: Annotated[
        int | None, typer.Option(metavar="DAYS", help="Set a new due date, this many days from the start.")
    ] = None,
    no_due_date: Annotated[bool, typer.Option("--no-due-date", help="Set no new due date.")] = False,
    notify: Annotated[
        bool | None, typer.Option("--notify/--no-notify", help="Whether to send “course assigned” alerts.")
    ] = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Change a planned reset before it begins: start, reason, due date, alerts. `recourse cancel` cancels it.

    Example: `recourse move RESET --at 2027-03-01T06:00+01:00 --due-in-days 30 --no-notify`
    """
    if due_in_days is not None and no_due_date:
        raise typer.BadParameter("Use only one of --due-in-days and --no-due-date.")
    changes = Changes(start_at=at, reason=reason, notify=notify)
    if due_in_days is not None or no_due_date:
        changes["due_in_days"] = due_in_days
    if not any(value is not None for value in changes.values()) and not no_due_date:
        raise typer.BadParameter("Say what to change, for example with --at or --reason.")
    with servers_and_database():
        with transaction() as session:
            found, who = reset_and_actor(session, reset, as_)
            move(session, who, found, **changes)
        print_reset(found.id, as_json=as_json, judge=False)


@app.command("retry-failed")
def retry_failed_command(reset: ResetId, watch_it: Watch = False, as_json: AsJson = False, as_: As = None) -> None:
    """Retry the failed learners of a reset."""
    with servers_and_database() as workers:
        with transaction() as session:
            found, who = reset_and_actor(session, reset, as_)
            retry_failed(session, who, found)
        follow(found.id, workers, watch_it=watch_it, as_json=as_json)
