"""Hash passwords in threads of their own, so that waiting for one blocks no page."""

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
    """Return the result of `work`, which hashes a password. Attempts whose password was never checked do not count.

    Raises what `work` raises, and `SignInBusy` if no thread becomes free in time.
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
