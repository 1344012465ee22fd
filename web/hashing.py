"""Passwords are hashed beside the other work: whoever waits for their turn keeps no thread from a page."""

from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio.to_thread import run_sync
from fastapi.concurrency import run_in_threadpool

from models import passwords
from models.refusals.sign_in import PasswordTooShort, SignInBusy
from tasks.people.sign_in import Attempt, take_back

T = TypeVar("T")

_threads = anyio.CapacityLimiter(passwords.AT_ONCE)


async def in_turn(attempt: Attempt, work: Callable[[], T]) -> T:
    """Return what `work` does, which hashes. The attempt does not count where nobody looked at its password.

    Raises what `work` raises, and `SignInBusy` where the turn does not come in time.
    """
    try:
        with anyio.fail_after(passwords.PATIENCE):
            return await run_sync(work, limiter=_threads)
    except TimeoutError:
        await run_in_threadpool(take_back, attempt)
        raise SignInBusy from None
    except (SignInBusy, PasswordTooShort):
        await run_in_threadpool(take_back, attempt)
        raise
