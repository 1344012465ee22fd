"""The commands about resets. Those that plan and request one are in `reset_new.py`."""

from typing import Annotated

import typer

from cli.acting_as import organizations, reset_and_actor
from cli.options import As, AsJson, OnlyOrganization
from cli.reset_new import preview_command, reset_command
from cli.reset_tables import print_reset, resets_table
from cli.servers_and_database import servers_and_database
from cli.terminal import console, print_json
from cli.watch import Watch, follow, watch
from models.resets import SETTLED
from models.session import transaction
from tasks.report import report
from tasks.reset.cancel import cancel
from tasks.reset.lookup import latest_resets
from tasks.reset.retry_failed import retry_failed

app = typer.Typer()
app.command("preview")(preview_command)
app.command("reset")(reset_command)

ResetId = Annotated[str, typer.Argument(metavar="RESET", help="The reset's id, from `recourse resets`.")]


@app.command("resets")
def resets_command(
    organization: OnlyOrganization = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Show at most this many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the resets, latest first."""
    with servers_and_database(), transaction() as session:
        ids = [one.id for one in organizations(session, organization)]
        found = latest_resets(session, ids, limit)
        if as_json:
            print_json([report(session, line.reset) for line in found])
        elif found:
            console.print(resets_table(session, found))
        else:
            console.print("There are no resets yet. `recourse reset COURSE` starts one.")


@app.command("show")
def show_command(reset: ResetId, watch_it: Watch = False, as_json: AsJson = False) -> None:
    """Show a reset: its state, what it removed, and why learners were skipped or failed."""
    with servers_and_database() as workers:
        with transaction() as session:
            found, _ = reset_and_actor(session, reset, None)
        if watch_it and found.state not in SETTLED:
            workers.ensure()
            watch(found.id, workers)
        print_reset(found.id, as_json=as_json, judge=watch_it)


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


@app.command("retry-failed")
def retry_failed_command(reset: ResetId, watch_it: Watch = False, as_json: AsJson = False, as_: As = None) -> None:
    """Retry the failed learners of a reset."""
    with servers_and_database() as workers:
        with transaction() as session:
            found, who = reset_and_actor(session, reset, as_)
            retry_failed(session, who, found)
        follow(found.id, workers, watch_it=watch_it, as_json=as_json)
