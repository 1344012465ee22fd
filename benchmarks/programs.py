"""Programs that a contender runs beside the benchmark, such as its workers."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.stage import HOME

STOP_LIMIT = 30.0
LOOK_EVERY = 0.05  # whether a run is done: seldom enough to take nothing from it


class RunError(Exception):
    """A contender did not do what it was started for."""


class Program:
    """A running program."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.pid = process.pid
        self._process, self._log = process, log

    def check(self) -> None:
        """Raises `RunError` if it has ended."""
        if self._process.poll() is not None:
            raise RunError(f"{self._log.stem} ended by itself. The end of its log:\n{self.last_lines()}")

    def last_lines(self) -> str:
        """Returns the end of its log."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])


@contextmanager
def running(name: str, command: Sequence[str], **environment: str) -> Iterator[Program]:
    """Run a program within the scope. Its output goes to a log with that name."""
    path = HOME / f"{name}.log"
    with path.open("wb") as log:
        # A session of its own, so that Ctrl-C ends the benchmark, which then ends the program in good order.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | environment,
            start_new_session=True,
        )
    try:
        yield Program(process, path)
    finally:
        _stop(process)


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
    for one in psutil.wait_procs(everybody, timeout=1)[1]:  # what a killed program left
        one.kill()
