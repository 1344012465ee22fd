"""The worker that a command depends on."""

import os
import socket
from collections.abc import Sequence
from pathlib import Path

from cli.local import LocalServers
from cli.local.child import Child
from cli.terminal import dim_note
from config.celery import INTERACTIVE, QUEUES


def _worker(name: str, queues: Sequence[str], processes: int) -> list[str]:
    return [
        "celery",
        "--app=worker",
        "worker",
        "--without-mingle",  # saves a second of looking for other workers; cancellations are in the database
        "--without-gossip",
        f"--queues={','.join(queues)}",
        f"--concurrency={processes}",
        f"--hostname={name}",
    ]


_HERE = f"{os.getpid()}@{socket.gethostname()}"
NAME, INTERACTIVE_NAME = f"recourse-{_HERE}", f"recourse-interactive-{_HERE}"
# At least 2 processes, as one may be waiting for a remote server.
WORKER = _worker(NAME, QUEUES, max(2, min(8, os.cpu_count() or 1)))
# Beside the other: who resets a single learner does not wait while that one's processes are busy with a course.
INTERACTIVE_WORKER = _worker(INTERACTIVE_NAME, [INTERACTIVE], 1)
SCHEDULER = "--scheduler=celery.beat:Scheduler"  # our beat keeps no state, so it needs no file
BEAT = ["celery", "--app=worker", "beat", SCHEDULER, "--pidfile="]


class Workers:
    """A worker for one command: a running one, or the command's own."""

    def __init__(self, log: Path, servers: LocalServers, *, may_run: bool) -> None:
        """`servers` are the command's. With `may_run` false no worker can be running, since the broker is new."""
        self.log, self.servers = log, servers
        self._may_run = may_run
        self._own: Child | None = None

    def ensure(self) -> bool:
        """Start a worker if none answers, and wait for it. Returns whether it is the command's own.

        Raises `ChildEndedError` if the command's own worker has ended.
        """
        self.mend_servers()
        if self._own is None and not self.is_there():
            dim_note("No worker is running: starting one for this command.")
            self._own = Child("The worker", self.log, [*WORKER, "--beat", SCHEDULER])
            while not answers(within=0.2):
                self._own.check()
        if self._own is not None:
            self._own.check()
        return self._own is not None

    def mend_servers(self) -> None:
        """Restart those of the command's servers that have ended. Raises `LocalServersError`."""
        for server in self.servers.each():
            if server.how_it_ended():
                server.start()

    def is_there(self) -> bool:
        """Returns whether a worker answers."""
        return self._may_run and answers(within=1)

    def stop(self) -> None:
        """Stop the command's own worker, if it has one."""
        if self._own is not None:
            self._own.stop()


def answers(*, within: float, name: str | None = None, queues: Sequence[str] = QUEUES) -> bool:
    """Returns whether the workers that answer within so many seconds consume all of these queues.

    With `name`, only that worker is asked. Workers of other applications do not receive the question, and a worker for
    only some of our queues is not enough. Raises `OperationalError` of kombu if the broker does not answer.
    """
    from tasks.broker import without_worker  # needs the broker's URL, which is not known when this module is loaded

    return not without_worker(queues, within=within, name=name)
