"""A Celery worker, usually with two processes, and one beside it."""

import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from celery import Celery

from benchmarks.programs import Program, RunError, running

PROCESSES = 2
START_LIMIT = 60.0


@contextmanager
def celery_worker(app: Celery, module: str, *options: str, processes: int = PROCESSES) -> Iterator[Program]:
    """Run a worker for the application in `module` within the scope, and wait until it answers."""
    with _answering(app, module, "worker", processes, options) as worker:
        if len(app.control.ping(timeout=0.3)) > 1:
            raise RunError("A worker of an earlier benchmark is still running and would help; end it first.")
        yield worker


@contextmanager
def celery_worker_beside(app: Celery, module: str, *options: str) -> Iterator[Program]:
    """Run a further worker, with one process, within the scope, and wait until it answers."""
    with _answering(app, module, "beside", 1, options) as worker:
        yield worker


@contextmanager
def _answering(app: Celery, module: str, name: str, processes: int, options: Sequence[str]) -> Iterator[Program]:
    full = f"{name}@{socket.gethostname()}"
    command = [sys.executable, "-m", "celery", "-A", module, "worker", "-n", full, "-c", str(processes), *options]
    with running(name, command) as worker:
        end = time.monotonic() + START_LIMIT
        while not app.control.ping([full], timeout=0.3):
            worker.check()
            if time.monotonic() > end:
                raise RunError(f"The worker did not answer. The end of its log:\n{worker.last_lines()}")
        yield worker
