"""What `recourse up` supervises: servers, and Python programs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cli.local import LocalServer
from cli.local.child import STOP_LIMIT, Child
from cli.local.processes import last_line


class Part(Protocol):
    """One part of the installation."""

    @property
    def name(self) -> str:
        """Its name for people."""

    @property
    def log(self) -> Path:
        """The file that it writes to."""

    @property
    def needed(self) -> bool:
        """Whether `recourse up` ends without it."""

    @property
    def dispensable(self) -> bool:
        """Whether `recourse up` starts without it."""

    def start(self) -> None:
        """Start it. It may become ready later. Raises `LocalServersError`, `OSError`."""

    def is_ready(self) -> bool:
        """Returns whether it works. Only asked while it runs."""

    def how_it_ended(self) -> str | None:
        """Returns how it ended, `None` while it runs."""

    def last_words(self) -> str:
        """Returns the last line of its log."""

    def ask_to_stop(self) -> None:
        """Begin to stop it."""

    def stop(self) -> None:
        """Stop it, by force if it takes too long."""


@dataclass(frozen=True)
class Server:
    """PostgreSQL or Redis. Other commands may use it too, so the last of them stops it."""

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
        return True  # `start` returns when it is ready

    def how_it_ended(self) -> str | None:
        return self.server.how_it_ended()

    def last_words(self) -> str:
        return last_line(self.log) or "(nothing)"

    def ask_to_stop(self) -> None:
        pass

    def stop(self) -> None:
        pass


class Program:
    """A Python program as a child of this command."""

    needed = False
    dispensable = False

    def __init__(
        self, name: str, log: Path, arguments: list[str], is_ready: Callable[[], bool], patience: float = STOP_LIMIT
    ) -> None:
        """`arguments` start with the module; `patience` is how many seconds it may take to stop."""
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
        return self._child.last_words() if self._child else "(nothing)"

    def ask_to_stop(self) -> None:
        if self._child:
            self._child.ask_to_stop()

    def stop(self) -> None:
        if self._child:
            self._child.stop()
