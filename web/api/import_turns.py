"""Whose import runs next: organizations take turns by weight."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio


@dataclass
class _Waiting:
    organization: int
    weight: int
    turn: anyio.Event = field(default_factory=anyio.Event)


class Turns:
    """The places for imports of one process. `web/bodies/limits.py` says how many an organization can have."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._running: Counter[int] = Counter()
        self._line: list[_Waiting] = []

    @asynccontextmanager
    async def taken(self, organization: int, weight: int) -> AsyncIterator[None]:
        """Wait for a place, and occupy it."""
        mine = _Waiting(organization, weight)
        self._line.append(mine)
        self._call()
        try:
            await mine.turn.wait()
            yield
        finally:
            if mine in self._line:  # cancelled while it waited
                self._line.remove(mine)
            else:
                self._running[organization] -= 1
            self._call()

    def _call(self) -> None:
        """Call those who may run, first that organization which runs least for its weight."""
        while self._line and self._running.total() < self._places:
            called = min(self._line, key=lambda one: self._running[one.organization] / one.weight)
            self._line.remove(called)
            self._running[called.organization] += 1
            called.turn.set()
