"""Oban for Python: one job a user, two worker processes with ten jobs at once each. It needs Python 3.12 or newer."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from benchmarks.asked import Asked, learners_of
from benchmarks.contenders.contender import Contender, Took
from benchmarks.contenders.queued import reset_by_queue
from benchmarks.programs import running
from benchmarks.stage import CLONE
from benchmarks.target import Target
from benchmarks.workers import PROCESSES

OF_ITS_OWN = Path(".venv/oban/bin/python")
PYTHON = sys.executable if sys.version_info >= (3, 12) else str(OF_ITS_OWN)
DSN = f"dbname={CLONE}"  # the rest is in libpq's variables
AT_ONCE = 10


def is_installed() -> bool:
    """Returns whether there is a Python that has it."""
    return sys.version_info >= (3, 12) or OF_ITS_OWN.exists()


@contextmanager
def started() -> Iterator[Callable[[Target], Took]]:
    """Create its tables, and start its workers."""
    subprocess.run([PYTHON, "-m", "oban", "install", "--dsn", DSN], check=True, capture_output=True)
    with ExitStack() as stack:
        command = [PYTHON, "-m", "oban", "start", "--dsn", DSN, "--queues", f"resets:{AT_ONCE}"]
        command += ["--cron-modules", "benchmarks.jobs.oban", "--log-level", "WARNING"]
        workers = [stack.enter_context(running(f"oban-{n}", [*command, "--node", f"{n}"])) for n in range(PROCESSES)]
        yield partial(reset_by_queue, _enqueue, workers)


def _enqueue(asked: Asked) -> None:
    users = "\n".join(str(user) for user in learners_of(asked))
    command = [PYTHON, "-m", "benchmarks.jobs.oban_enqueue", DSN, str(asked.reset_id), str(asked.course_id)]
    subprocess.run(command, input=users, text=True, check=True, capture_output=True)


OBAN = Contender("oban", "Oban", started)
