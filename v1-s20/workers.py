"""A Celery worker with two processes, and the memory they take."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
from celery import Celery

from benchmarks.stage import HOME

PROCESSES = 2
START_LIMIT = 60.0
STOP_LIMIT = 30.0
LOOK_EVERY = 0.05  # whether a run is done: seldom enough to take nothing from it


class WorkerError(Exception):
    """The worker did not do what it was started for."""


@dataclass
class Peak:
    """The most resident memory that one process of the worker had."""

    bytes: int = 0


@dataclass
class Worker:
    """A running worker."""

    process: subprocess.Popen[bytes]

    def check(self) -> None:
        """Raises WorkerError if it has ended."""
        if self.process.poll() is not None:
            raise WorkerError(f"The worker ended by itself. The end of its log:\n{last_lines()}")

    @contextmanager
    def watched(self) -> Iterator[Peak]:
        """Watch the memory of its processes during the scope."""
        peak, over = Peak(), threading.Event()
        watcher = threading.Thread(target=self._watch, args=(peak, over))
        watcher.start()
        try:
            yield peak
        finally:
            over.set()
            watcher.join()

    def _watch(self, peak: Peak, over: threading.Event) -> None:
        children = psutil.Process(self.process.pid).children(recursive=True)
        while not over.wait(LOOK_EVERY):
            for child in children:
                try:
                    peak.bytes = max(peak.bytes, child.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue


@contextmanager
def running(app: Celery, module: str, *options: str) -> Iterator[Worker]:
    """A worker for the application in `module`, which answers; it is ended with the scope."""
    with (HOME / "worker.log").open("wb") as log:
        # A session of its own, so that Ctrl-C ends the benchmark, which then ends the worker in good order.
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", module, "worker", "-c", str(PROCESSES), *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        worker = Worker(process)
        _wait_for(app, worker)
        yield worker
    finally:
        _stop(process)


def _wait_for(app: Celery, worker: Worker) -> None:
    end = time.monotonic() + START_LIMIT
    while not (answers := app.control.ping(timeout=0.3)):
        worker.check()
        if time.monotonic() > end:
            raise WorkerError(f"The worker did not answer. The end of its log:\n{last_lines()}")
    if len(answers) > 1:
        raise WorkerError("A worker of an earlier benchmark is still running and would help; end it first.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    try:
        everybody = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        everybody = []
    process.terminate()
    try:
        process.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for one in psutil.wait_procs(everybody, timeout=1)[1]:  # what a killed worker left
        one.kill()


def last_lines() -> str:
    """The end of the worker's log."""
    return "\n".join((HOME / "worker.log").read_text(errors="replace").splitlines()[-15:])
