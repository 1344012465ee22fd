"""Procrastinate: one job a user, two worker processes with ten jobs at once each."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from benchmarks.asked import Asked, learners_of
from benchmarks.contenders.contender import Contender, Took
from benchmarks.contenders.queued import reset_by_queue
from benchmarks.programs import running
from benchmarks.target import Target
from benchmarks.workers import PROCESSES

COMMAND = [sys.executable, "-m", "procrastinate", "--app", "benchmarks.jobs.procrastinate.app"]
AT_ONCE = 10


@contextmanager
def started() -> Iterator[Callable[[Target], Took]]:
    """Create its tables, and start its workers."""
    subprocess.run([*COMMAND, "schema", "--apply"], check=True, capture_output=True)
    with ExitStack() as stack:
        command = [*COMMAND, "worker", "--concurrency", str(AT_ONCE)]
        workers = [stack.enter_context(running(f"procrastinate-{n}", command)) for n in range(PROCESSES)]
        yield partial(reset_by_queue, _enqueue, workers)


def _enqueue(asked: Asked) -> None:
    # Only installed for the benchmark.
    from procrastinate import SyncPsycopgConnector

    from benchmarks.jobs.procrastinate import app, clear_user

    users = learners_of(asked)
    with app.replace_connector(SyncPsycopgConnector()) as connected, connected.open():
        jobs: list[Any] = [
            {"reset_id": str(asked.reset_id), "course_id": asked.course_id, "user_id": user} for user in users
        ]
        clear_user.batch_defer(*jobs)


PROCRASTINATE = Contender("procrastinate", "Procrastinate", started)
