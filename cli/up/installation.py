"""All parts of the installation of one folder."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from kombu.exceptions import OperationalError

from cli.up.flower import Flower
from cli.up.part import Part, Program, Server
from cli.up.web import Web
from cli.workers import BEAT, INTERACTIVE_NAME, INTERACTIVE_WORKER, NAME, WORKER, Workers, answers
from config.celery import INTERACTIVE, QUEUES


class Installation:
    """The parts that `recourse up` runs, in the order in which it starts them."""

    def __init__(self, home: Path, workers: Workers) -> None:
        """Put together the parts, and put the addresses of the pages into the settings. Starts nothing."""
        servers = workers.servers.each()
        self.flower, self.web = Flower(home), Web(home)
        # On an operator's broker, others may run the workers. On our own broker, a worker that answers belongs to
        # another command and ends with it.
        self.has_workers = any(server.name == "Redis" for server in servers) or not workers.is_there()
        self.parts: list[Part] = [Server(server, needed=server.name == "PostgreSQL") for server in servers]
        self.parts += [self.flower, self.web]
        if self.has_workers:
            self.parts += [
                Program("worker", home / "worker.log", WORKER, partial(_answers, NAME, QUEUES)),
                Program(
                    "interactive worker",
                    home / "worker-interactive.log",
                    INTERACTIVE_WORKER,
                    partial(_answers, INTERACTIVE_NAME, (INTERACTIVE,)),
                ),
                Program("beat", home / "beat.log", BEAT, lambda: True, patience=10),
            ]


def _answers(worker: str, queues: Sequence[str]) -> bool:
    try:
        return answers(within=0.2, name=worker, queues=queues)
    except OperationalError:  # the broker does not answer for now
        return False
