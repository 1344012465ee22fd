"""Wait for the answers of webhook endpoints in threads of their own, so that a slow one blocks no page."""

from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio.to_thread import run_sync

from models.refusals.webhooks import WebhookBusy

AT_ONCE = 4  # tests, per process
PATIENCE = 5.0  # longest wait for a turn, in seconds

T = TypeVar("T")

_threads = anyio.CapacityLimiter(AT_ONCE)


async def pinging(work: Callable[[], T]) -> T:
    """Return the result of `work`. Raises what it raises, and `WebhookBusy` if too many other tests are under way."""
    with anyio.move_on_after(PATIENCE) as patience:
        await _threads.acquire_on_behalf_of(work)
    if patience.cancelled_caught:
        raise WebhookBusy
    try:
        return await run_sync(work, limiter=anyio.CapacityLimiter(1))
    finally:
        _threads.release_on_behalf_of(work)
