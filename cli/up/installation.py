"""Which parts make up the whole installation of one folder."""

from pathlib import Path

from kombu.exceptions import OperationalError
from redis import RedisError

from cli.flower import Flower
from cli.up.part import Part, Program, Server
from cli.web import Web
from cli.workers import BEAT, NAME, WORKER, Workers, answers


class Installation:
    """The parts that this command runs, in the order in which they are started."""

    def __init__(self, home: Path, workers: Workers) -> None:
        """Nothing is started yet. From here on, the settings say where the pages are."""
        servers = workers.servers.each()
        self.flower, self.web = Flower(home), Web(home)
        # On a broker of the operator's own, workers may be run by somebody else; on ours, one that answers belongs to
        # a command that ends.
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
    except (OperationalError, RedisError, OSError):  # the broker is away, and may come again
        return False
