"""Limits on costly requests at the same time: in total, per organization and per person.

Each process of the web app counts for itself.
"""

import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio

from config.languages import gettext, translatable
from models.access import Actor
from web.problems import Problem

AGAIN_SECONDS = 30


class Places:
    """For use on the event loop only: no lock guards the counts."""

    def __init__(self, what: str, *, total: int, organization: int, person: int) -> None:
        """`what` names the requests in refusals, for example “uploads”."""
        self._what, self._total, self._organization, self._person = what, total, organization, person
        self._of_organizations: Counter[int] = Counter()
        self._of_people: Counter[str] = Counter()
        self._waiting: set[anyio.Event] = set()

    @property
    def in_use(self) -> int:
        """The number of places taken."""
        return self._of_organizations.total()

    @contextmanager
    def taken(self, actor: Actor) -> Iterator[None]:
        """Hold a place within the scope. Raises `Problem`: 429 if the actor's share is taken, 503 if all are."""
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
        """Hold a place as in `taken`, waiting up to `seconds` for it. Raises `Problem` after that."""
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
            raise self._refusal(
                "too-many-requests", translatable("You already have {places} {what} open."), self._person
            )
        if self._of_organizations[actor.organization_id] >= self._organization:
            words = translatable("Your organization already has {places} {what} open.")
            raise self._refusal("too-many-requests", words, self._organization)
        if self.in_use >= self._total:
            raise self._refusal("busy", translatable("All {places} slots for {what} are in use."), self._total)

    def _refusal(self, code: str, sentence: str, places: int) -> Problem:
        why = gettext(sentence, places=places, what=self._what)
        words = gettext("{why} Nothing was changed. Try again in a moment.", why=why)
        return Problem(code, words, headers={"Retry-After": str(AGAIN_SECONDS)})


def _one_less(counts: Counter[Any], of: Any) -> None:
    counts[of] -= 1
    if not counts[of]:
        del counts[of]
