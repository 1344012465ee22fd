"""A Celery worker as a child of this command: for as long as the command lives, however that ends."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from celery.__main__ import main as celery

from config.celery import BULK, INTERACTIVE, NOTIFY

STOP_LIMIT = 30.0  # seconds; what is under way may end before that


class WorkerProcess:
    """A worker for all queues, with the clock in it."""

    def __init__(self, log: Path) -> None:
        """Start it, with its output appended to `log`."""
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cli.worker_process"],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=Path(__file__).parents[1],
                start_new_session=True,  # Ctrl-C is for the command, which then stops the worker in order
            )

    def has_ended(self) -> bool:
        """Whether it stopped by itself, which it never should."""
        return self._process.poll() is not None

    def stop(self) -> None:
        """Let it finish what is under way, and end it."""
        self._process.terminate()
        try:
            self._process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _end_with_the_command() -> None:
    """Wait for the end of standard input, which comes when the command is gone, even if it was killed."""
    # Not through sys.stdin: its lock, held while it waits, would be copied into the pool's processes and hang them.
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def run() -> None:
    """What the child does: Celery's own command, which finds our tasks in `worker`."""
    threading.Thread(target=_end_with_the_command, daemon=True).start()
    sys.argv = [
        "celery",
        "--app=worker",
        "worker",
        "--beat",
        "--without-mingle",  # a second in which it would look for other workers; what is revoked is in the database
        "--without-gossip",
        "--scheduler=celery.beat:Scheduler",  # our beat remembers nothing, so it needs no file
        f"--queues={INTERACTIVE},{BULK},{NOTIFY}",
        f"--concurrency={min(8, os.cpu_count() or 1)}",
        f"--hostname=recourse-{os.getpid()}@%h",
    ]
    celery()


if __name__ == "__main__":
    run()
