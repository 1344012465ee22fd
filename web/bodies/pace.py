"""How slowly a body may come: what comes more slowly is no line, but somebody who keeps a place."""

import time
from collections.abc import Callable

import anyio
from starlette.types import Message, Receive

from web.problems import EXPLAINED, Problem

GRACE_SECONDS = 30.0  # in which nothing need come: a phone in a tunnel
SLOWEST = 8_000  # bytes a second on the whole; a line of the nineties


class Pace:
    """A body as it comes, at a bearable pace, and counted."""

    def __init__(self, receive: Receive, counted: Callable[[int], None]) -> None:
        """`counted` is told after each block how many bytes have come, and may raise."""
        self._receive, self._counted = receive, counted
        self._began: float | None = None
        self._bytes = 0
        self._whole = False

    async def __call__(self) -> Message:
        """The next block. Raises `Problem`."""
        if self._whole:  # then the application waits for the client to leave, however long that takes
            return await self._receive()
        now = time.monotonic()
        self._began = self._began or now
        with anyio.move_on_after(max(self._began + GRACE_SECONDS + self._bytes / SLOWEST - now, 0)) as waited:
            message = await self._receive()
        if waited.cancelled_caught:
            words = f"{EXPLAINED['body-too-slow']} Nothing was changed. Send it again on a better line."
            raise Problem(408, "body-too-slow", words, headers={"Connection": "close"})
        self._bytes += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        self._counted(self._bytes)
        return message
