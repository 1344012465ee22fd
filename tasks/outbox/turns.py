"""Who is next: organizations take turns by weight, each with its limits; a failing receiver rests."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from models.outbox import Item, Turn, take, turns
from models.people import weights
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
        self._taken_at: defaultdict[Any, float] = defaultdict(float)
        self._weights = _weights()
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
            self._round = _in_turn(self._free(self._due()), self._weights, self._taken_at)
            ready = self._with_room()
        return ready

    def _with_room(self) -> list[Turn]:
        return [
            turn
            for turn in self._free(self._round)
            if self._lanes_of[turn.organization] < self._most(turn.organization)
        ]

    def _most(self, organization: Any) -> int:
        """Returns the maximum number of lanes for this organization."""
        return min(self._handler.at_once(), self._handler.at_once_each() * self._weights.get(organization, 1))

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
        allowed = list(dict.fromkeys(self._allowed(ready)))
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
        now = self._taken_at[turn.key] = time.monotonic()
        self._busy.add(turn.key)
        self._lanes_of[turn.organization] += 1
        if rate := self._handler.per_second():
            self._next_at = now + 1 / rate
        if rate := self._handler.per_second_each():
            self._next_at_of[turn.organization] = now + 1 / rate


def _weights() -> dict[Any, int]:
    with transaction() as session:
        return dict(weights(session))


def _in_turn(found: Sequence[Turn], weighing: Mapping[Any, int], taken_at: Mapping[Any, float]) -> list[Turn]:
    """Returns a round: as many turns of each organization as its weight, evenly mixed; all turns if it is alone.

    Of several turns of an organization, those that rested longest come first.
    """
    of_each: dict[Any, list[Turn]] = {}
    for turn in sorted(found, key=lambda one: taken_at.get(one.key, 0.0)):
        of_each.setdefault(turn.organization, []).append(turn)
    placed: list[tuple[float, Turn]] = []
    for organization, theirs in of_each.items():
        weight = weighing.get(organization, 1)
        some = [theirs[number % len(theirs)] for number in range(weight)] if len(of_each) > 1 else theirs
        placed += [((number + 0.5) / weight, turn) for number, turn in enumerate(some)]
    return [turn for _, turn in sorted(placed, key=lambda pair: pair[0])]
