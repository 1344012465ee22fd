"""Have a provider confirm a session that began there, before a request relies on it."""

from datetime import datetime
from functools import partial

import anyio
from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from models.refusals.sign_on import SignOnUnavailable
from models.sign_on import IdentityProvider
from tasks.sign_on.check import Outcome, Taken, Untaken, ask_again, settle_check, take_check
from web.waiting import waiting

PAUSE_SECONDS = 0.05  # between two looks whether another request has finished its check
LONGEST = 15.0  # seconds that a request waits for the check of another; then it relies on the last one that succeeded


def arrival_of(request: Request, at: datetime) -> datetime:
    """Returns when the request arrived, by the database's clock: `at`, the first time that this is asked. So a body
    whose sender was checked before it was read is not checked twice."""
    if not hasattr(request.state, "arrived"):
        request.state.arrived = at
    arrived: datetime = request.state.arrived
    return arrived


async def check_again(token: str, provider: IdentityProvider, arrived: datetime) -> None:
    """Check the session, or wait until another request has done so since this one arrived. Raises nothing if the
    provider is down: the session then stands as `Standing` says."""
    with anyio.move_on_after(LONGEST):
        while (taken := await run_in_threadpool(take_check, token, arrived)) is Untaken.BUSY:
            await anyio.sleep(PAUSE_SECONDS)
    if not isinstance(taken, Taken):
        return
    try:
        outcome = await waiting(provider, partial(ask_again, taken))
    except SignOnUnavailable:
        outcome = Outcome()
    await run_in_threadpool(settle_check, taken, outcome)
