"""Places for what is costly: so many at once in all, of one organization, and of one person, so that nobody's many stop
another's few. They are counted by each process of the web app for itself."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio

from models.access import Actor
from web.problems import Problem

AGAIN_SECONDS = 30


class Places:
    """To be used by the event loop alone: no lock guards the counts."""

    def __init__(self, what: str, *, total: int, organization: int, person: int) -> None:
        """`what` names them in a refusal: “uploads”."""
        self._what, self._total, self._organization, self._person = what, total, organization, person
        self._of_organizations: Counter[int] = Counter()
        self._of_people: Counter[str] = Counter()
        self._waiting: set[anyio.Event] = set()

    @property
    def in_use(self) -> int:
        """How many are taken."""
        return self._of_organizations.total()

    @contextmanager
    def taken(self, actor: Actor) -> Iterator[None]:
        """A place for the time of the scope. Raises `Problem`: 429 where their own are taken, 503 where all are."""
        self._must_be_free(actor)
        self._of_organizations[actor.organization_id] += 1
        self._of_people[actor.name] += 1
        try:
            yield
        finally:
            _one_less(self._of_organizations, actor.organization_id)
            _one_less(self._of_people, actor.name)
            for waiting in self._waiting:
                waiting.set()

    @asynccontextmanager
    async def waited_for(self, actor: Actor, seconds: float) -> AsyncIterator[None]:
        """The same, where one may wait for it. Raises `Problem` when none has become free in that time."""
        until = time.monotonic() + seconds
        while True:
            try:
                place = self.taken(actor)
                place.__enter__()
            except Problem:
                if not await self._one_is_left(until - time.monotonic()):
                    raise
            else:
                break
        try:
            yield
        finally:
            place.__exit__(None, None, None)

    async def _one_is_left(self, seconds: float) -> bool:
        left = anyio.Event()
        self._waiting.add(left)
        try:
            with anyio.move_on_after(max(seconds, 0)):
                await left.wait()
                return True
        finally:
            self._waiting.discard(left)
        return False

    def _must_be_free(self, actor: Actor) -> None:
        if self._of_people[actor.name] >= self._person:
            raise self._refusal("too-many-requests", f"You have {self._person} {self._what} open already")
        if self._of_organizations[actor.organization_id] >= self._organization:
            words = f"Your organization has {self._organization} {self._what} open already"
            raise self._refusal("too-many-requests", words)
        if self.in_use >= self._total:
            raise self._refusal("busy", f"All {self._total} places for {self._what} are taken")

    def _refusal(self, code: str, why: str) -> Problem:
        words = f"{why}. Nothing was changed. Try again in a moment."
        return Problem(code, words, headers={"Retry-After": str(AGAIN_SECONDS)})


def _one_less(counts: Counter[Any], of: Any) -> None:
    counts[of] -= 1
    if not counts[of]:
        del counts[of]
