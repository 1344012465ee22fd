"""Restarts parts that end, and gives up on those that keep ending."""

import time
from collections.abc import Callable, Iterable
from datetime import datetime

from cli.local import LocalServersError
from cli.local.child import ChildEndedError
from cli.up.part import Part

PAUSES = (0.0, 1.0, 2.0, 4.0)  # seconds before each restart
MOST_ENDS = len(PAUSES) + 1
LATELY = 300.0  # seconds in which ends count


class Supervisor:
    """Supervises parts. It never waits for one, except for a server to become ready."""

    def __init__(self, parts: Iterable[Part], say: Callable[[str], None]) -> None:
        """`say` prints a line for the operator."""
        self._watched = [_Watched(part, say) for part in parts]

    def start(self) -> None:
        """Start every part, and return when each is ready.

        Raises `ChildEndedError` if a part ends instead, since a restart would not help. A dispensable part is restarted
        later.
        """
        for watched in self._watched:
            watched.part.start()
        while not all(watched.has_come_up() for watched in self._watched):
            time.sleep(0.1)

    def look(self) -> None:
        """Restart parts that have ended. Raises `ChildEndedError` if a needed one is given up."""
        for watched in self._watched:
            watched.notice_end()
        for watched in self._watched:
            watched.restart_when_due()

    @property
    def given_up(self) -> list[str]:
        """The names of the parts that were given up."""
        return [watched.part.name for watched in self._watched if watched.is_given_up]

    def stop(self) -> None:
        """Stop all parts at once, and wait for each."""
        for watched in self._watched:
            watched.part.ask_to_stop()
        for watched in self._watched:
            watched.part.stop()


class _Watched:
    """A part and its history."""

    def __init__(self, part: Part, say: Callable[[str], None]) -> None:
        self.part = part
        self.is_given_up = False
        self._say = say
        self._ends: list[float] = []
        self._restart_at: float | None = None  # set while it has ended and is to be restarted
        self._is_coming_up = False  # restarted, but not ready yet

    def has_come_up(self) -> bool:
        """Returns whether the start need not wait for it. Raises `ChildEndedError` if it has ended."""
        how = self.part.how_it_ended()
        if how is None:
            return self.part.is_ready()
        if self.part.dispensable:
            return True
        raise ChildEndedError(self._ended(how))

    def notice_end(self) -> None:
        """Plan a restart if it has ended. Raises `ChildEndedError` as `Supervisor.look` does."""
        if self.is_given_up or self._restart_at is not None:
            return
        if how := self.part.how_it_ended():
            self._has_ended(self._ended(how))
        elif self._is_coming_up and self.part.is_ready():
            self._is_coming_up = False
            self._print(f"{self._name} is up again.")

    def restart_when_due(self) -> None:
        """Restart it if it has ended and its pause is over."""
        if self._restart_at is None or time.monotonic() < self._restart_at:
            return
        self._restart_at, self._is_coming_up = None, True
        try:
            self.part.start()
        except (LocalServersError, OSError) as error:
            why = " ".join(str(error).split())[-400:]
            self._has_ended(f"{self._name} did not start: {why} Its log is {self.part.log}.")

    def _has_ended(self, what_happened: str) -> None:
        now = time.monotonic()
        self._ends = [*(end for end in self._ends if now - end < LATELY), now]
        self._is_coming_up = False
        if len(self._ends) < MOST_ENDS:
            self._print(f"{what_happened} · Restarting it.")
            self._restart_at = now + PAUSES[len(self._ends) - 1]
            return
        self.is_given_up = True
        given_up = f"{self._name} is given up: it ended {MOST_ENDS} times within {LATELY / 60:.0f} minutes"
        if self.part.needed:
            raise ChildEndedError(f"{what_happened}\n{given_up}. Nothing works without it.")
        self._print(f"{what_happened} · {given_up}. Everything else keeps running.")

    @property
    def _name(self) -> str:
        name = self.part.name
        return name if name[0].isupper() else f"The {name}"

    def _ended(self, how: str) -> str:
        return f"{self._name} {how}. Last line of its log, {self.part.log}: {self.part.last_words()}"

    def _print(self, sentence: str) -> None:
        self._say(f"{datetime.now().astimezone():%H:%M:%S} {sentence}")
