"""Watch a reset to its end, with a live bar."""

import signal
import time
from typing import Any
from uuid import UUID

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from cli.terminal import notes
from cli.workers import Workers
from models.resets import SETTLED, Reset, ResetState
from models.session import DBAPIError, is_connection_lost, transaction
from tasks.report import report

LOOK_EVERY = 0.2  # seconds
PATIENCE = 60.0  # seconds without a database
STILL = 5.0  # seconds without a change, after which it is worth looking whether a worker is there at all


class Speed(ProgressColumn):
    """Learners a second."""

    def render(self, task: Task) -> Text:
        """The speed of the last moments, or of the whole once it is done."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} learners/s" if speed else "", style="progress.data.speed")


def watch(reset_id: UUID, workers: Workers) -> dict[str, Any]:
    """Show the reset's progress on stderr until nothing of it is left to do. Gives its last report.

    Ctrl-C ends the watching and the command, with exit status 130, but not the reset.
    """
    try:
        return _watch(reset_id, workers)
    except KeyboardInterrupt:
        notes.print(
            f"Reset {reset_id} is not over: it goes on with the next worker. Follow it with "
            f"`recourse show {reset_id} --watch`, or stop it with `recourse cancel {reset_id}`.",
            highlight=False,
        )
        raise SystemExit(128 + signal.SIGINT) from None


def _watch(reset_id: UUID, workers: Workers) -> dict[str, Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Speed(), TimeRemainingColumn())
    with Progress(*columns, console=notes) as bar:
        line = bar.add_task("Writing the ledger", total=None)
        last, changed_at = None, time.monotonic()
        while True:
            seen = _look(reset_id, workers)
            _show(bar, line, seen)
            if seen["done"]:
                return seen
            if (figures := {**seen, "seconds": None}) != last:
                last, changed_at = figures, time.monotonic()
            elif time.monotonic() - changed_at > STILL:
                # The worker of another command, which this one relied on, may have ended with that command.
                workers.ensure()
                changed_at = time.monotonic()
            time.sleep(LOOK_EVERY)


def _look(reset_id: UUID, workers: Workers) -> dict[str, Any]:
    """The reset's report. A database that goes away is waited for: the reset goes on when it is back."""
    give_up_at, told = time.monotonic() + PATIENCE, False
    while True:
        try:
            with transaction() as session:
                return report(session, session.get_one(Reset, reset_id))
        except DBAPIError as error:
            if not is_connection_lost(error) or time.monotonic() > give_up_at:
                raise
        if not told:
            notes.print("The database does not answer. Waiting for it …", style="dim")
            told = True
        time.sleep(1)
        workers.mend_servers()


def _show(bar: Progress, line: Any, seen: dict[str, Any]) -> None:
    progress = seen["progress"]
    state = ResetState(seen["state"])
    settled = sum(progress[outcome] for outcome in ("cleared", "unchanged", "skipped", "failed"))
    if state in SETTLED:
        words = state.value.replace("_", " ").capitalize() if seen["done"] else "Sending the alerts"
    else:
        words = "Waiting" if state == ResetState.REQUESTED else "Clearing"
    known = state != ResetState.REQUESTED
    bar.update(line, description=words, total=progress["total"] if known else None, completed=settled)
