"""Tidy: delete what has served its time, by the ages in `models/retention.py`.

Each kind by turns, some thousand rows in a transaction of its own: no lock is held for long, and one kind of which
there is much keeps no other from its turn. What is left after half a minute is left to the next run.
"""

import time
from collections.abc import Callable

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from models import tallies
from models.retention import RETENTIONS, Retention, forget, keep_figures
from models.session import in_words, transaction
from tasks.app import app

RUN_SECONDS = 30.0
BATCH = 5000  # rows
RESETS = 200  # whose figures are taken in one transaction

log = structlog.get_logger(__name__)


@app.task(name="recourse.tidy", send_events=False)
def tidy() -> None:
    """Delete it. Runs every ten minutes by beat; nothing that is read depends on it, and two at once share the work."""
    end = time.monotonic() + RUN_SECONDS
    _until_done("resets_not_counted", lambda session: tallies.count_settled(session, RESETS), RESETS, end)
    _until_done("figures_not_kept", lambda session: keep_figures(session, RESETS), RESETS, end)
    deleted: dict[str, int] = {}
    left = list(RETENTIONS)
    while left and time.monotonic() < end:
        for retention in tuple(left):
            gone = _forget_some(retention)
            deleted[retention.table] = deleted.get(retention.table, 0) + gone
            if gone < BATCH:
                left.remove(retention)
    if any(deleted.values()):
        log.info("tidied", **{table: rows for table, rows in deleted.items() if rows})
    if left:
        log.warning("tidy_not_done", tables=[retention.table for retention in left], remedy="the next run goes on")


def _forget_some(retention: Retention) -> int:
    """A batch of it, counted in the same transaction. What goes wrong with one kind keeps no other from its turn."""
    try:
        with transaction() as session:
            gone = forget(session, retention, BATCH)
            tallies.add(session, {tallies.of_deleted(retention.table): gone})
            return gone
    except DBAPIError as error:
        log.warning("not_tidied", table=retention.table, error=in_words(error), remedy="the next run tries again")
        return 0


def _until_done(what: str, step: Callable[[Session], int], most: int, end: float) -> None:
    try:
        while time.monotonic() < end:
            with transaction() as session:
                if step(session) < most:
                    return
    except DBAPIError as error:
        log.warning(what, error=in_words(error), remedy="the next run tries again")
