"""Who is next: organizations in turn, each with its limits, and what rests after a failure."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from models.outbox import Item, Turn, take, turns
from models.session import transaction
from tasks.outbox.hands import Hands


class Turns:
    """The turns of one outbox within a run. Shared by its lanes."""

    def __init__(self, hands: type[Hands]) -> None:
        self._hands = hands
        self._lock = threading.Lock()
        self._round: list[Turn] = []
        self._busy: set[Any] = set()
        self._lanes_of: Counter[Any] = Counter()
        self._rests_until: defaultdict[Any, float] = defaultdict(float)
        self._next_at = 0.0
        self._next_at_of: defaultdict[Any, float] = defaultdict(float)
        self.away = False  # nobody takes anything: it is left to a later run

    def take_next(self, over: Callable[[], bool]) -> list[Item]:
        """The next items, of whose turn it is, each taken for its try; none if nothing is due, or it is `over`.

        Waits where a rate says so.
        """
        while not over():
            with self._lock:
                turns_now = self._whose_turn()
                wait = self._until_allowed(turns_now)
                items = self._take(turns_now) if not wait else []
            if items or not turns_now:
                return items
            time.sleep(min(wait, 0.2))
        return []

    def done(self, items: Sequence[Item], *, well: bool, tried: bool = True) -> None:
        """Say that these are over with, and whether it went well. What was not tried counts for no rate."""
        with self._lock:
            for turn in {item.turn for item in items}:
                self._busy.discard(turn.key)
                self._lanes_of[turn.organization] -= 1
                if not well:
                    self._rests_until[turn.key] = time.monotonic() + self._hands.rests
                if not tried:
                    self._next_at = self._next_at_of[turn.organization] = 0.0

    def left(self) -> int:
        """Of how many turns something could be done now."""
        if self.away or not self._hands.is_on():
            return 0
        with self._lock:
            return len(self._free(self._due()))

    def _due(self) -> list[Turn]:
        with transaction() as session:
            return turns(session, self._hands.outbox)

    def _free(self, found: Sequence[Turn]) -> list[Turn]:
        now = time.monotonic()
        return [turn for turn in found if turn.key not in self._busy and self._rests_until[turn.key] <= now]

    def _whose_turn(self) -> list[Turn]:
        """The rest of this round, or where none of it may go on, the next one."""
        ready = self._with_room()
        if not self._allowed(ready):
            self._round = _in_turn(self._free(self._due()))
            ready = self._with_room()
        return ready

    def _with_room(self) -> list[Turn]:
        most = self._hands.at_once_each()
        return [turn for turn in self._free(self._round) if self._lanes_of[turn.organization] < most]

    def _allowed(self, ready: Sequence[Turn]) -> list[Turn]:
        now = time.monotonic()
        return [turn for turn in ready if self._next_at_of[turn.organization] <= now]

    def _until_allowed(self, ready: Sequence[Turn]) -> float:
        """Seconds until a rate allows one of these."""
        if not ready:
            return 0.0
        first = min(self._next_at_of[turn.organization] for turn in ready)
        return max(0.0, max(first, self._next_at) - time.monotonic())

    def _take(self, ready: Sequence[Turn]) -> list[Item]:
        allowed = self._allowed(ready)
        share = -(-self._hands.batch // max(1, len(allowed)))
        items: list[Item] = []
        for turn in allowed:
            self._round.remove(turn)
            with transaction() as session:
                theirs = take(session, self._hands.outbox, turn, self._hands.waits, share)
            if theirs:
                self._note(turn)
                items += theirs
            if len(items) >= self._hands.batch:
                break
        return items

    def _note(self, turn: Turn) -> None:
        now = time.monotonic()
        self._busy.add(turn.key)
        self._lanes_of[turn.organization] += 1
        if rate := self._hands.a_second():
            self._next_at = now + 1 / rate
        if rate := self._hands.a_second_each():
            self._next_at_of[turn.organization] = now + 1 / rate


def _in_turn(found: Sequence[Turn]) -> list[Turn]:
    """Each organization's first, then the second of those that have one, and so on."""
    so_far: Counter[Any] = Counter()
    placed: list[tuple[int, Turn]] = []
    for turn in found:
        placed.append((so_far[turn.organization], turn))
        so_far[turn.organization] += 1
    return [turn for _, turn in sorted(placed, key=lambda pair: pair[0])]
