"""The worker that a command depends on."""

import os
import socket
from pathlib import Path

from cli.child import Child
from cli.local import LocalServers
from cli.terminal import notes
from config.celery import QUEUES, name_on_the_broker

NAME = f"recourse-{os.getpid()}@{socket.gethostname()}"
WORKER = [
    "celery",
    "--app=worker",
    "worker",
    "--without-mingle",  # a second in which it would look for other workers; what is cancelled is in the database
    "--without-gossip",
    f"--queues={','.join(QUEUES)}",
    f"--concurrency={max(2, min(8, os.cpu_count() or 1))}",  # one of them may be waiting for the outside world
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


class _AllTaken(Exception):  # noqa: N818 - nothing is wrong: the rest of the answers need not be waited for
    """Workers have answered that take every queue."""


def answers(*, within: float, name: str | None = None) -> bool:
    """Whether workers, or the one of that name, answer within so many seconds that take all of our queues among them.

    A worker of another application does not hear the question, and one of ours for other queues would leave this
    command's work lying.
    """
    from tasks.app import app  # needs the broker's address, which is not settled when this module is loaded

    missing = {name_on_the_broker(queue) for queue in QUEUES}

    def take_off(answer: dict[str, list[dict[str, str]]]) -> None:
        missing.difference_update(queue["name"] for queues in answer.values() for queue in queues if "name" in queue)
        if not missing:
            raise _AllTaken

    try:
        app.control.broadcast(
            "active_queues",
            destination=[name] if name else None,
            reply=True,
            timeout=within,
            callback=take_off,
        )
    except _AllTaken:
        return True
    return False
