"""All parts of the installation of one folder."""

from pathlib import Path

from kombu.exceptions import OperationalError
from redis import RedisError

from cli.up.flower import Flower
from cli.up.part import Part, Program, Server
from cli.up.web import Web
from cli.workers import BEAT, NAME, WORKER, Workers, answers


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
                Program("worker", home / "worker.log", WORKER, _worker_answers),
                Program("beat", home / "beat.log", BEAT, lambda: True, patience=10),
            ]


def _worker_answers() -> bool:
    try:
        return answers(within=0.2, name=NAME)
    except (OperationalError, RedisError, OSError):  # the broker does not answer for now
        return False
