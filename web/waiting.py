"""Wait for servers outside in threads of their own, so that a slow one blocks no page: sign-in providers, webhook
endpoints, participants, stores. No database connection is held meanwhile.

Sign-ins have threads apart from the rest. Of each, one organization has a share, so that its slow servers leave room
for the others.
"""

from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio.to_thread import run_sync

from config.languages import translatable
from models.refusals.base import Refused
from models.refusals.requests import TooManyWaiting
from models.refusals.sign_on import SignOnUnavailable
from models.sign_on import IdentityProvider

PATIENCE = 5.0  # longest wait for a turn, in seconds

T = TypeVar("T")


class Turns:
    """So many threads per process, and of these so many for one organization."""

    def __init__(self, at_once: int, each: int) -> None:
        self._threads = anyio.CapacityLimiter(at_once)
        self._each = each
        self._shares: dict[int, anyio.CapacityLimiter] = {}

    async def run(self, organization_id: int, work: Callable[[], T], busy: Refused) -> T:
        """Return the result of `work`. Raises what `work` raises, and `busy` if too many others wait."""
        share = self._shares.setdefault(organization_id, anyio.CapacityLimiter(self._each))
        taken: list[anyio.CapacityLimiter] = []
        try:
            with anyio.move_on_after(PATIENCE) as patience:
                for turn in (share, self._threads):
                    await turn.acquire()
                    taken.append(turn)
            if patience.cancelled_caught:
                raise busy
            return await run_sync(work, limiter=anyio.CapacityLimiter(1))
        finally:
            for turn in taken:
                turn.release()


_SIGN_INS = Turns(32, 8)
_OTHERS = Turns(16, 4)


async def waiting(provider: IdentityProvider, work: Callable[[], T]) -> T:
    """Return the result of `work`, which asks the provider.

    Raises what `work` raises, and `SignOnUnavailable` if too much else waits for this provider.
    """
    busy = SignOnUnavailable(provider.name, translatable("too many sign-ins wait for it"))
    return await _SIGN_INS.run(provider.organization_id, work, busy)


async def waiting_outside(organization_id: int, work: Callable[[], T]) -> T:
    """Return the result of `work`, which asks a server of the organization's: an endpoint, a participant or a store.

    Raises what `work` raises, and `TooManyWaiting` if too much else waits for the organization's servers.
    """
    return await _OTHERS.run(organization_id, work, TooManyWaiting())
