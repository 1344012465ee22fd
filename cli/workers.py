"""The worker that a command depends on."""

import os
import socket
from pathlib import Path

from cli.child import Child
from cli.local import LocalServers
from cli.terminal import notes
from config.celery import BULK, INTERACTIVE, NOTIFY

NAME = f"recourse-{os.getpid()}@{socket.gethostname()}"
WORKER = [
    "celery",
    "--app=worker",
    "worker",
    "--without-mingle",  # a second in which it would look for other workers; what is cancelled is in the database
    "--without-gossip",
    f"--queues={INTERACTIVE},{BULK},{NOTIFY}",
    f"--concurrency={min(8, os.cpu_count() or 1)}",
    f"--hostname={NAME}",
]
SCHEDULER = "--scheduler=celery.beat:Scheduler"  # our beat remembers nothing, so it needs no file
BEAT = ["celery", "--app=worker", "beat", SCHEDULER, "--pidfile="]


class Workers:
    """A worker to do what the command asks for: one that is there already, or one of the command's own."""

    def __init__(self, log: Path, servers: LocalServers, *, may_run: bool) -> None:
        """`servers` are those of the command. `may_run` false where no worker can be there: the broker is new."""
        self.log, self.servers = log, servers
        self._may_run = may_run
        self._own: Child | None = None

    def ensure(self) -> bool:
        """Start a worker if none answers, and wait for it. Gives whether the command depends on one of its own.

        Raises `ChildEndedError` if its own has ended by itself.
        """
        self.mend_servers()
        if self._own is None and not self.is_there():
            notes.print("No worker is running: starting one for this command.", style="dim")
            self._own = Child("The worker", self.log, [*WORKER, "--beat", SCHEDULER])
            while not answers(within=0.2):
                self._own.check()
        if self._own is not None:
            self._own.check()
        return self._own is not None

    def mend_servers(self) -> None:
        """Start those of the command's servers that have ended, unless somebody else is at it. Raises
        `LocalServersError`."""
        for server in self.servers.each():
            if server.how_it_ended():
                server.start()

    def is_there(self) -> bool:
        """Whether a worker answers."""
        return self._may_run and answers(within=1)

    def stop(self) -> None:
        """End the worker of the command's own, if it has one."""
        if self._own is not None:
            self._own.stop()


def answers(*, within: float, name: str | None = None) -> bool:
    """Whether a worker, or the one of that name, answers on the broker within so many seconds."""
    from tasks.app import app  # needs the broker's address, which is not settled when this module is loaded

    return bool(app.control.ping(timeout=within, limit=1, destination=[name] if name else None))
