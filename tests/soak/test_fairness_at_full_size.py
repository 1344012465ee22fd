"""A small organization's reset beside a large one of another, in real size: `make soak`."""

import os
from collections.abc import Callable

import pytest

from config.celery import NOTIFY, QUEUES
from tests.scenes import make_scene, report_of, state_of
from tests.workers import Worker, until

LARGE = int(os.environ.get("RECOURSE_TEST_LARGE", "200000"))
SMALL = 2_000


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_two_thousand_learners_beside_two_hundred_thousand_take_at_most_three_times_their_time_alone(
    start_worker: Callable[..., Worker], capsys: pytest.CaptureFixture[str]
) -> None:
    big = make_scene("big", LARGE, completed=1_000_000, begun=1_000_000, certificates=False)
    small = make_scene("small", SMALL, completed=1_000_000, begun=1_000_000, certificates=False)
    quiet = {"recover_every_seconds": 10, "recover_after_seconds": 30}
    for queue in QUEUES:
        start_worker(beat=queue == NOTIFY, queues=queue, **quiet)
    alone = small.request()
    until(lambda: report_of(alone)["done"], 120)
    large = big.request()
    until(lambda: report_of(large)["progress"]["cleared"] > LARGE / 20, 300)
    beside = small.request(course="DATA-202")
    until(lambda: report_of(beside)["done"], 600)
    assert state_of(large) == "running", "it ended too early to compare"
    seconds = [report_of(one)["seconds"] for one in (alone, beside)]
    with capsys.disabled():
        print(f"\n{SMALL:,} learners: {seconds[0]:.1f} s alone, {seconds[1]:.1f} s beside {LARGE:,}")  # noqa: T201
    assert seconds[1] <= 3 * seconds[0]
