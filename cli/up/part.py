"""What `recourse up` looks after: servers, and programs of Python's."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cli.child import STOP_LIMIT, Child
from cli.local import LocalServer
from cli.local.processes import last_line


class Part(Protocol):
    """One of the things that have to run."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def log(self) -> Path:
        """The file that it writes to."""

    @property
    def needed(self) -> bool:
        """Whether nothing goes on without it."""

    @property
    def dispensable(self) -> bool:
        """Whether everything goes on without it, from the beginning."""

    def start(self) -> None:
        """Start it, and need not wait until it is ready. Raises `LocalServersError`, `OSError`."""

    def is_ready(self) -> bool:
        """Whether it does its work. Asked only while it has not ended."""

    def how_it_ended(self) -> str | None:
        """None while it runs."""

    def last_words(self) -> str:
        """The last line that it has written."""

    def ask_to_stop(self) -> None:
        """Have it begin to end."""

    def stop(self) -> None:
        """Wait until it has ended, and end it by force if it takes too long."""


@dataclass(frozen=True)
class Server:
    """PostgreSQL or Redis. Other commands may use it too, so the last of them stops it, and not this."""

    server: LocalServer
    needed: bool
    dispensable: bool = False

    @property
    def name(self) -> str:
        return self.server.name

    @property
    def log(self) -> Path:
        return self.server.log

    def start(self) -> None:
        self.server.start()

    def is_ready(self) -> bool:
        return True  # its start waits for that

    def how_it_ended(self) -> str | None:
        return self.server.how_it_ended()

    def last_words(self) -> str:
        return last_line(self.log) or "nothing"

    def ask_to_stop(self) -> None:
        pass

    def stop(self) -> None:
        pass


class Program:
    """A program of Python's, as a child of this command."""

    needed = False
    dispensable = False

    def __init__(
        self, name: str, log: Path, arguments: list[str], is_ready: Callable[[], bool], patience: float = STOP_LIMIT
    ) -> None:
        """`arguments` begin with the module; `patience` is how many seconds it may take to end."""
        self.name, self.log = name, log
        self._arguments, self._is_ready, self._patience = arguments, is_ready, patience
        self._child: Child | None = None

    def start(self) -> None:
        self._child = Child(self.name, self.log, self._arguments, self._patience)

    def is_ready(self) -> bool:
        return self._is_ready()

    def how_it_ended(self) -> str | None:
        return self._child.how_it_ended() if self._child else "did not start"

    def last_words(self) -> str:
        return self._child.last_words() if self._child else "nothing"

    def ask_to_stop(self) -> None:
        if self._child:
            self._child.ask_to_stop()

    def stop(self) -> None:
        if self._child:
            self._child.stop()
