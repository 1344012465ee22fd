"""How soon everything goes on by itself, with the settings as installed: other tests look for lost work more often."""

import time
from collections.abc import Callable

import redis

from tests.installations import Installation
from tests.recovery import OPEN_SLICES, RECOVERED_AFTER, seconds_until, unless_down
from tests.scenes import slow_down
from tests.workers import AS_INSTALLED, Worker


def test_the_last_slice_is_done_45_seconds_after_all_messages_and_the_worker_are_lost(
    installed: Callable[..., Installation], start_worker: Callable[..., Worker], redis_server: redis.Redis
) -> None:
    assert AS_INSTALLED == {"recover_every_seconds": 10, "recover_after_seconds": 20}
    installation = installed(learners=1500)
    slow_down(0.3)
    worker = start_worker(**AS_INSTALLED)
    installation.reset()
    installation.wait_for(0.3)
    worker.kill()
    redis_server.flushall()
    last = time.monotonic()
    assert unless_down(OPEN_SLICES) != 0, "it was too quick to be disturbed"
    start_worker(**AS_INSTALLED)
    assert seconds_until(OPEN_SLICES, last, 2 * RECOVERED_AFTER) <= RECOVERED_AFTER
    installation.assert_nothing_is_lost()
