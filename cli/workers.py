"""The worker that a command depends on."""

import os
from pathlib import Path

from cli.child import Child
from cli.terminal import notes
from config.celery import BULK, INTERACTIVE, NOTIFY

ARGUMENTS = [
    "celery",
    "--app=worker",
    "worker",
    "--beat",
    "--without-mingle",  # a second in which it would look for other workers; what is cancelled is in the database
    "--without-gossip",
    "--scheduler=celery.beat:Scheduler",  # our beat remembers nothing, so it needs no file
    f"--queues={INTERACTIVE},{BULK},{NOTIFY}",
    f"--concurrency={max(2, min(8, os.cpu_count() or 1))}",  # one of them may be waiting for the outside world
]


class Workers:
    """A worker to do what the command asks for: one that is there already, or one of the command's own."""

    def __init__(self, log: Path, *, may_run: bool) -> None:
        """`may_run` false where none can be there: the broker has just been started."""
        self.log = log
        self._may_run = may_run
        self._own: Child | None = None

    def ensure(self) -> bool:
        """Start a worker if none answers, and wait for it. Gives whether the command depends on one of its own.

        Raises `ChildEndedError` if its own has ended by itself.
        """
        if self._own is None and not (self._may_run and _answers(within=1)):
            notes.print("No worker is running: starting one for this command.", style="dim")
            self._own = Child("The worker", self.log, [*ARGUMENTS, f"--hostname=recourse-{os.getpid()}@%h"])
            while not _answers(within=0.2):
                self._own.check()
        if self._own is not None:
            self._own.check()
        return self._own is not None

    def stop(self) -> None:
        """End the worker of the command's own, if it has one."""
        if self._own is not None:
            self._own.stop()


def _answers(*, within: float) -> bool:
    """Whether a worker answers on the broker within so many seconds."""
    from tasks.app import app  # needs the broker's address, which is not settled when this module is loaded

    return bool(app.control.ping(timeout=within, limit=1))
