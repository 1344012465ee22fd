"""A progress bar that follows a reset until it is done."""

import signal
import time
from typing import Any
from uuid import UUID

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.reset_tables import print_reset
from cli.terminal import notes
from cli.workers import Workers
from models.resets import SETTLED, Reset, ResetState
from models.session import DBAPIError, is_connection_lost, transaction
from tasks.report import TIMES, report
from tasks.reset.outcomes import place_in_words
from tasks.speed import left_in_words

LOOK_EVERY = 0.2  # seconds
PATIENCE = 60.0  # seconds to wait for a database that does not answer
OUTCOMES = ("cleared", "unchanged", "skipped", "failed")
STILL = 5.0  # seconds without progress before checking that a worker is running


def watch(reset_id: UUID, workers: Workers) -> dict[str, Any]:
    """Show the reset's progress on stderr until it is done. Returns its last report.

    Ctrl-C ends the command with exit status 130, but not the reset.
    """
    try:
        return _watch(reset_id, workers)
    except KeyboardInterrupt:
        notes.print(
            f"Reset {reset_id} is not done. A worker carries on with it. Follow it with "
            f"`recourse show {reset_id} --watch`, or stop it with `recourse cancel {reset_id}`.",
            highlight=False,
        )
        raise SystemExit(128 + signal.SIGINT) from None


def follow(reset_id: UUID, workers: Workers, *, watch_it: bool, as_json: bool) -> None:
    """Watch the reset if asked to, or if only this command's own worker can do it. Then print it."""
    if workers.ensure() or watch_it:
        watch(reset_id, workers)
    else:
        notes.print(f"A worker has the job. `recourse show {reset_id} --watch` follows it.", style="dim")
    print_reset(reset_id, as_json=as_json)


def _watch(reset_id: UUID, workers: Workers) -> dict[str, Any]:
    speed = TextColumn("{task.fields[speed]}", style="progress.data.speed")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), speed)
    with Progress(*columns, console=notes) as bar:
        line = bar.add_task("Writing the ledger", total=None, speed="")
        last, changed_at = None, time.monotonic()
        while True:
            seen = _look(reset_id, workers)
            _show(bar, line, seen)
            if seen["done"]:
                return seen
            if (figures := {**seen, **dict.fromkeys(TIMES)}) != last:
                last, changed_at = figures, time.monotonic()
            elif time.monotonic() - changed_at > STILL:
                # The worker may have belonged to another command, and ended with it.
                workers.ensure()
                changed_at = time.monotonic()
            time.sleep(LOOK_EVERY)


def _look(reset_id: UUID, workers: Workers) -> dict[str, Any]:
    """Returns the reset's report. Waits for a database that does not answer."""
    give_up_at, announced = time.monotonic() + PATIENCE, False
    while True:
        try:
            with transaction() as session:
                return report(session, session.get_one(Reset, reset_id))
        except DBAPIError as error:
            if not is_connection_lost(error) or time.monotonic() > give_up_at:
                raise
        if not announced:
            notes.print("The database does not answer. Waiting for it …", style="dim")
            announced = True
        time.sleep(1)
        workers.mend_servers()


def _show(bar: Progress, line: Any, seen: dict[str, Any]) -> None:
    progress = seen["progress"]
    state = ResetState(seen["state"])
    settled = sum(progress[outcome] for outcome in OUTCOMES)
    if seen["paused"]:
        words = "Paused"
    elif seen["place"]:
        words = place_in_words(seen["place"]).capitalize()
    elif state in SETTLED:
        words = state.value.replace("_", " ").capitalize() if seen["done"] else "Sending the alerts"
    else:
        words = "Waiting" if state == ResetState.REQUESTED else _doing(seen)
    known = state != ResetState.REQUESTED
    bar.update(
        line, description=words, total=progress["total"] if known else None, completed=settled, speed=_speed(seen)
    )


def _speed(seen: dict[str, Any]) -> str:
    """Returns the speed and the time left, where they are known."""
    speed, left = seen["learners_per_second"], seen["seconds_left"]
    words = [] if speed is None else [f"{speed:,.0f} learners/s"]
    return " · ".join(words + ([] if left is None else [left_in_words(left)]))


def _doing(seen: dict[str, Any]) -> str:
    """Returns what goes on: once no learner is open here, for whom the others wait."""
    here = seen["progress"]["total"] - sum(seen["progress"][outcome] for outcome in OUTCOMES)
    if here > seen["progress"]["waiting"] or not seen["waiting_for"]:
        return "Clearing"
    return f"Waiting for {', '.join(seen['waiting_for'])}"
