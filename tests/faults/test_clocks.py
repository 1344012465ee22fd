"""Workers whose clocks are ten minutes wrong."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from tests.installations import DEADLY, Installation
from tests.rules import ONCE, make, occurrences
from tests.scenes import ask, slow_down
from tests.sizes import Size, sized
from tests.workers import Worker

MINUTES = 10


@pytest.mark.parametrize("minutes", [MINUTES, -MINUTES])
@sized(learners=(300, 10_000))
def test_a_worker_whose_clock_is_wrong_does_and_recovers_everything_and_begins_no_rule_early(
    installed: Callable[..., Installation],
    start_worker: Callable[..., Worker],
    start_beat: Callable[[], object],
    deadly: Callable[..., Path],
    redis_server: redis.Redis,
    minutes: int,
    size: Size,
) -> None:
    # Given a beat with the right time, and a rule that is due in five minutes
    installation = installed(learners=size.learners)
    start_beat()
    due = datetime.now(UTC) + timedelta(minutes=MINUTES / 2)
    rule = make(installation.scene, datetime.now(UTC), **ONCE, starts=due.replace(microsecond=0, tzinfo=None))
    slow_down(0.1)
    # When the only worker is wrong about the time, and messages are lost
    deadly(clock=60 * minutes)
    start_worker(beat=False, record_kinds=DEADLY)
    installation.reset()
    installation.wait_for(0.2)
    redis_server.flushall()
    # Then they are sent again, although its clock says that beat's messages have expired
    installation.assert_nothing_is_lost()
    assert occurrences(rule) == []
    assert ask("SELECT max(abs(extract(epoch FROM now() - finished_at))) < 120 FROM reset")
