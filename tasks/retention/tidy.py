"""Delete old rows, by the periods in `models/retention/periods.py`, after counting what is to be kept of them.

Tables take turns, with some thousand rows per transaction, so that no lock is held for long and no table blocks the
others. After half a minute, the rest is left to the next run.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from config.log import logger
from models import tallies
from models.course_days import count_days
from models.retention.by_age import Retention, forget
from models.retention.periods import RETENTIONS
from models.retention.resets import keep_figures
from models.session import in_words, transaction
from tasks.app import app

RUN_SECONDS = 30.0
BATCH = 5000  # rows
RESETS = 200  # per transaction
DAYS = 10**9  # rows: one run counts all days

log = logger(__name__)


@app.task(name="recourse.tidy", send_events=False)
def tidy() -> None:
    """Delete old rows. Beat sends it every ten minutes. No query depends on it, and two runs share the work."""
    end = time.monotonic() + RUN_SECONDS
    deleted: dict[str, int] = {}
    left = _steps()
    while left and time.monotonic() < end:
        for step in tuple(left):
            done = _do(step)
            if step.table:
                deleted[step.table] = deleted.get(step.table, 0) + done
            if done < step.most:
                left.remove(step)
    if any(deleted.values()):
        log.info("tidied", **{table: rows for table, rows in deleted.items() if rows})
    if left:
        log.warning("tidy_not_done", left=[step.name for step in left], remedy="the next run continues")


@dataclass(frozen=True)
class Step:
    """One kind of work. `do` handles up to `most` rows and returns how many it handled."""

    name: str
    do: Callable[[Session, int], int]
    most: int
    table: str | None = None  # if rows of it are deleted


def _steps() -> list[Step]:
    return [
        Step("count resets", tallies.count_settled, RESETS),
        Step("sum up resets", keep_figures, RESETS),
        Step("count days", count_days, DAYS),
        *map(_by_age, RETENTIONS),
    ]


def _by_age(retention: Retention) -> Step:
    def delete(session: Session, most: int) -> int:
        gone = forget(session, retention, most)
        tallies.add(session, {tallies.of_deleted(retention.table): gone})
        return gone

    return Step(retention.table, delete, BATCH, retention.table)


def _do(step: Step) -> int:
    """Run the step in its own transaction. An error is logged, and the other steps continue."""
    try:
        with transaction() as session:
            return step.do(session, step.most)
    except DBAPIError as error:
        log.warning("not_tidied", step=step.name, error=in_words(error), remedy="the next run tries again")
        return 0
