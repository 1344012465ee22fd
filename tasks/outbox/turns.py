"""Who is next: organizations take turns, each with its limits; a failing receiver rests."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from models.outbox import Item, Turn, take, turns
from models.session import transaction
from tasks.outbox.handler import Handler

SHORT_REST = 2.0  # seconds; a run waits for it


class Turns:
    """The turns of one outbox within a run, shared by its lanes."""

    def __init__(self, handler: type[Handler]) -> None:
        self._handler = handler
        self._lock = threading.Lock()
        self._round: list[Turn] = []
        self._busy: set[Any] = set()
        self._lanes_of: Counter[Any] = Counter()
        self._rests_until: defaultdict[Any, float] = defaultdict(float)
        self._next_at = 0.0
        self._next_at_of: defaultdict[Any, float] = defaultdict(float)
        self.away = False  # the receiver of all items is down: the rest is left to a later run

    def take_next(self, over: Callable[[], bool]) -> list[Item]:
        """Take the next items for an attempt. Returns an empty list if nothing is due or `over` returns true.

        Waits for the rate limits.
        """
        while not over():
            with self._lock:
                candidates = self._candidates()
                wait = self._until_allowed(candidates)
                items = self._take(candidates) if not wait else []
            if items or not candidates:
                return items
            time.sleep(min(wait, 0.2))
        return []

    def done(self, items: Sequence[Item], *, rest: float = 0.0, tried: bool = True) -> None:
        """Release the turns of these items, to rest for some seconds; if not `tried`, no rate limit counts them."""
        with self._lock:
            for turn in {item.turn for item in items}:
                self._busy.discard(turn.key)
                self._lanes_of[turn.organization] -= 1
                if rest:
                    self._rests_until[turn.key] = time.monotonic() + rest
                if not tried:
                    self._next_at = self._next_at_of[turn.organization] = 0.0

    def free(self) -> int:
        """Returns how many turns have due items that could be attempted now."""
        if self.away or not self._handler.is_on():
            return 0
        with self._lock:
            return len(self._free(self._due()))

    def frees_soon(self) -> bool:
        """Returns whether a receiver that has due items, and rests, may get one within seconds."""
        soon = time.monotonic() + SHORT_REST
        with self._lock:
            return any(time.monotonic() < self._rests_until[turn.key] <= soon for turn in self._due())

    def _due(self) -> list[Turn]:
        with transaction() as session:
            return turns(session, self._handler.outbox)

    def _free(self, found: Sequence[Turn]) -> list[Turn]:
        now = time.monotonic()
        return [turn for turn in found if turn.key not in self._busy and self._rests_until[turn.key] <= now]

    def _candidates(self) -> list[Turn]:
        """Returns the rest of this round, or the next round if none of the rest may start now."""
        ready = self._with_room()
        if not self._allowed(ready):
            self._round = _in_turn(self._free(self._due()))
            ready = self._with_room()
        return ready

    def _with_room(self) -> list[Turn]:
        most = self._handler.at_once_each()
        return [turn for turn in self._free(self._round) if self._lanes_of[turn.organization] < most]

    def _allowed(self, ready: Sequence[Turn]) -> list[Turn]:
        now = time.monotonic()
        return [turn for turn in ready if self._next_at_of[turn.organization] <= now]

    def _until_allowed(self, ready: Sequence[Turn]) -> float:
        """Returns the seconds until the rate limits allow one of these."""
        if not ready:
            return 0.0
        first = min(self._next_at_of[turn.organization] for turn in ready)
        return max(0.0, max(first, self._next_at) - time.monotonic())

    def _take(self, ready: Sequence[Turn]) -> list[Item]:
        allowed = self._allowed(ready)
        share = -(-self._handler.batch // max(1, len(allowed)))
        items: list[Item] = []
        for turn in allowed:
            self._round.remove(turn)
            with transaction() as session:
                taken = take(session, self._handler.outbox, turn, self._handler.waits, share)
            if taken:
                self._note(turn)
                items += taken
            if len(items) >= self._handler.batch:
                break
        return items

    def _note(self, turn: Turn) -> None:
        now = time.monotonic()
        self._busy.add(turn.key)
        self._lanes_of[turn.organization] += 1
        if rate := self._handler.per_second():
            self._next_at = now + 1 / rate
        if rate := self._handler.per_second_each():
            self._next_at_of[turn.organization] = now + 1 / rate


def _in_turn(found: Sequence[Turn]) -> list[Turn]:
    """Returns the first turn of each organization, then the second of each, and so on."""
    so_far: Counter[Any] = Counter()
    placed: list[tuple[int, Turn]] = []
    for turn in found:
        placed.append((so_far[turn.organization], turn))
        so_far[turn.organization] += 1
    return [turn for _, turn in sorted(placed, key=lambda pair: pair[0])]
