"""How slowly a body may arrive: a sender below this pace would only occupy a place."""

import time
from collections.abc import Callable

import anyio
from starlette.types import Message, Receive

from config.languages import gettext
from web.problems import KINDS, Problem

GRACE_SECONDS = 30.0  # in which nothing need arrive, as from a phone in a tunnel
SLOWEST = 8_000  # bytes a second on average, as over a modem


class Pace:
    """A `receive` that gives up on slow bodies, and counts their bytes."""

    def __init__(self, receive: Receive, on_size: Callable[[int], None]) -> None:
        """`on_size` is called after each block with the number of bytes so far, and may raise."""
        self._receive, self._on_size = receive, on_size
        self._began: float | None = None
        self._bytes = 0
        self._whole = False

    async def __call__(self) -> Message:
        """Returns the next block. Raises `Problem` if it is late."""
        if self._whole:  # the application now waits for the client to disconnect, which may take long
            return await self._receive()
        now = time.monotonic()
        self._began = self._began or now
        with anyio.move_on_after(max(self._began + GRACE_SECONDS + self._bytes / SLOWEST - now, 0)) as waited:
            message = await self._receive()
        if waited.cancelled_caught:
            words = gettext("{why} Nothing was changed.", why=KINDS["body-too-slow"].meaning)
            raise Problem("body-too-slow", words, headers={"Connection": "close"})
        self._bytes += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        self._on_size(self._bytes)
        return message
