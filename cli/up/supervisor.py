"""Looking after parts: what has ended is started again, and what ends again and again is given up."""

import time
from collections.abc import Callable, Iterable
from datetime import datetime

from cli.child import ChildEndedError
from cli.local import LocalServersError
from cli.up.part import Part

PAUSES = (0.0, 1.0, 2.0, 4.0)  # seconds before it is started again, by how often it has ended lately
MOST_ENDS = len(PAUSES) + 1
LATELY = 300.0  # seconds


class Supervisor:
    """Looks after these parts, one step at a time: nothing in it waits, but for a server that comes up."""

    def __init__(self, parts: Iterable[Part], say: Callable[[str], None]) -> None:
        """`say` is given a line for whoever watches."""
        self._watched = [_Watched(part, say) for part in parts]

    def start(self) -> None:
        """Start every part, and return once each is ready.

        Raises `ChildEndedError` if one ends instead: then something is wrong that another start would not mend. One
        that is dispensable is started again later.
        """
        for watched in self._watched:
            watched.part.start()
        while not all(watched.has_come() for watched in self._watched):
            time.sleep(0.1)

    def look(self) -> None:
        """Start again what has ended. Raises `ChildEndedError` if what is needed is given up."""
        for watched in self._watched:
            watched.notice_its_end()
        for watched in self._watched:
            watched.start_again_when_due()

    @property
    def given_up(self) -> list[str]:
        """The names of the parts that could not be kept up."""
        return [watched.part.name for watched in self._watched if watched.is_given_up]

    def stop(self) -> None:
        """End all parts, at once, and wait for each."""
        for watched in self._watched:
            watched.part.ask_to_stop()
        for watched in self._watched:
            watched.part.stop()


class _Watched:
    """A part, and what has become of it."""

    def __init__(self, part: Part, say: Callable[[str], None]) -> None:
        self.part = part
        self.is_given_up = False
        self._say = say
        self._ends: list[float] = []
        self._start_at: float | None = None  # it has ended, and is started again then
        self._is_coming = False  # it was started again, and is not ready yet

    def has_come(self) -> bool:
        """Whether it need not be waited for any more. Raises `ChildEndedError` if it has ended."""
        how = self.part.how_it_ended()
        if how is None:
            return self.part.is_ready()
        if self.part.dispensable:
            return True
        raise ChildEndedError(f"{self._ended(how)}\nIts log is {self.part.log}.")

    def notice_its_end(self) -> None:
        """Have it started again in its time, if it has ended. Raises `ChildEndedError` as `Supervisor.look` does."""
        if self.is_given_up or self._start_at is not None:
            return
        if how := self.part.how_it_ended():
            self._has_ended(self._ended(how))
        elif self._is_coming and self.part.is_ready():
            self._is_coming = False
            self._tell(f"{self._name} is up again.")

    def start_again_when_due(self) -> None:
        """Start it, if it has ended and its pause is over."""
        if self._start_at is None or time.monotonic() < self._start_at:
            return
        self._start_at, self._is_coming = None, True
        try:
            self.part.start()
        except (LocalServersError, OSError) as error:
            self._has_ended(f"{self._name} did not start: {' '.join(str(error).split())[-400:]}")

    def _has_ended(self, said: str) -> None:
        now = time.monotonic()
        self._ends = [*(end for end in self._ends if now - end < LATELY), now]
        self._is_coming = False
        if len(self._ends) < MOST_ENDS:
            self._tell(f"{said} · Starting it again; its log is {self.part.log}.")
            self._start_at = now + PAUSES[len(self._ends) - 1]
            return
        self.is_given_up = True
        given_up = f"{self._name} is given up: it ended {MOST_ENDS} times within {LATELY / 60:.0f} minutes"
        if self.part.needed:
            raise ChildEndedError(f"{said}\n{given_up}, and nothing goes on without it. Its log is {self.part.log}.")
        self._tell(f"{said} · {given_up}. The rest goes on. Its log is {self.part.log}.")

    @property
    def _name(self) -> str:
        name = self.part.name
        return name if name[0].isupper() else f"The {name}"

    def _ended(self, how: str) -> str:
        return f"{self._name} {how}. It said last: {self.part.last_words()}"

    def _tell(self, words: str) -> None:
        self._say(f"{datetime.now().astimezone():%H:%M:%S} {words}")
