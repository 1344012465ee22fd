"""Passwords are hashed beside the other work: whoever waits for their turn keeps no thread from a page."""

from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio.to_thread import run_sync

from models import passwords
from models.refusals import SignInBusy

T = TypeVar("T")

_threads = anyio.CapacityLimiter(passwords.AT_ONCE)


async def in_turn(work: Callable[[], T]) -> T:
    """What `work` gives, which hashes. Raises what it raises, and `SignInBusy` where the turn does not come in time."""
    with anyio.move_on_after(passwords.PATIENCE):
        return await run_sync(work, limiter=_threads)
    raise SignInBusy
