"""The commands that show resets. Those that plan and request one are in `reset_new.py`, those that change one in
`reset_changes.py`."""

from typing import Annotated

import typer

from cli.acting_as import organizations, reset_and_actor
from cli.options import AsJson, OnlyOrganization, ResetId, Watch
from cli.reset_tables import print_reset, resets_table
from cli.servers_and_database import servers_and_database
from cli.terminal import console, print_json, print_table
from models.resets import SETTLED
from models.session import transaction
from tasks.reset.lookup import facts_of, latest_resets

app = typer.Typer()


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
            print_json([facts_of(session, line) for line in found])
        elif found:
            print_table(resets_table(session, found))
        else:
            console.print("There are no resets yet. `recourse reset COURSE` starts one.")


@app.command("show")
def show_command(reset: ResetId, watch_it: Watch = False, as_json: AsJson = False) -> None:
    """Show a reset: its state, what it removed, and why learners were skipped or failed."""
    with servers_and_database() as workers:
        with transaction() as session:
            found, _ = reset_and_actor(session, reset, None)
        if watch_it and found.state not in SETTLED:
            from cli.watch import watch  # draws a progress bar

            workers.ensure()
            watch(found.id, workers)
        print_reset(found.id, as_json=as_json, judge=watch_it)
