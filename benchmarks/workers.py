"""A Celery worker with two processes."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from celery import Celery

from benchmarks.programs import Program, RunError, running

PROCESSES = 2
START_LIMIT = 60.0


@contextmanager
def celery_worker(app: Celery, module: str, *options: str) -> Iterator[Program]:
    """Run a worker for the application in `module` within the scope, and wait until it answers."""
    command = [sys.executable, "-m", "celery", "-A", module, "worker", "-c", str(PROCESSES), *options]
    with running("worker", command) as worker:
        end = time.monotonic() + START_LIMIT
        while not (answers := app.control.ping(timeout=0.3)):
            worker.check()
            if time.monotonic() > end:
                raise RunError(f"The worker did not answer. The end of its log:\n{worker.last_lines()}")
        if len(answers) > 1:
            raise RunError("A worker of an earlier benchmark is still running and would help; end it first.")
        yield worker
