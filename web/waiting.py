"""Wait for sign-in providers in threads of their own, so that a slow one blocks no page. No database connection is held
meanwhile."""

from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio.to_thread import run_sync

from config.languages import translatable
from models.refusals.sign_on import SignOnUnavailable
from models.sign_on import IdentityProvider

AT_ONCE = 32  # requests to providers, per process
AT_ONCE_EACH = 8  # of these, of one organization
PATIENCE = 5.0  # longest wait for a turn, in seconds

T = TypeVar("T")

_threads = anyio.CapacityLimiter(AT_ONCE)
_shares: dict[int, anyio.CapacityLimiter] = {}


async def waiting(provider: IdentityProvider, work: Callable[[], T]) -> T:
    """Return the result of `work`, which asks the provider.

    Raises what `work` raises, and `SignOnUnavailable` if too much else waits for this provider.
    """
    share = _shares.setdefault(provider.organization_id, anyio.CapacityLimiter(AT_ONCE_EACH))
    with anyio.move_on_after(PATIENCE) as patience:
        await share.acquire()
    if patience.cancelled_caught:
        raise SignOnUnavailable(provider.name, translatable("too many sign-ins wait for it"))
    try:
        return await run_sync(work, limiter=_threads)
    finally:
        share.release()
