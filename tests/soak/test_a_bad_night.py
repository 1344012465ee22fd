"""A large reset while every process is killed again and again: `make soak`."""

import random
import time
from collections.abc import Callable

import pytest
import redis

from tests.scenes import (
    ask,
    count_new_registrations,
    fingerprint,
    make_scene,
    records_of,
    report_of,
    rows,
    slow_down,
    state_of,
)
from tests.workers import Worker, until

LEARNERS = 40_000
SECONDS_BETWEEN = (1.0, 4.0)
MOST_BLOWS = 40


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_forty_thousand_learners_are_each_reset_once_whatever_is_killed(
    start_worker: Callable[..., Worker], redis_server: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(20261123)
    scene = make_scene(learners=LEARNERS, completed=100, begun=100)
    others = fingerprint([scene.other_course])
    count_new_registrations()
    slow_down(0.05)
    worker = start_worker()
    reset = scene.request()

    blows = 0
    while state_of(reset) in ("requested", "running") and blows < MOST_BLOWS:
        time.sleep(chance.uniform(*SECONDS_BETWEEN))
        blows += 1
        match chance.choice(("worker", "child", "broker", "backend")):
            case "worker":
                worker.kill()
                worker = start_worker()
            case "child":
                chance.choice(worker.children()).kill()
            case "broker":
                redis_server.flushall()
            case "backend":
                ask(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
    until(lambda: report_of(reset)["done"], 300)

    with capsys.disabled():
        print(f"\n{blows} blows in {report_of(reset)['seconds']:.0f} s")  # noqa: T201
    assert state_of(reset) == "succeeded", ask("SELECT error FROM reset")
    progress = report_of(reset)["progress"]
    assert progress == {"total": LEARNERS, "cleared": LEARNERS, "unchanged": 0, "skipped": 0, "failed": 0, "waiting": 0}
    assert rows("SELECT count(*), count(DISTINCT enrolment_id) FROM new_registration") == [(LEARNERS, LEARNERS)]
    assert report_of(reset)["notified"] == ask(
        "SELECT count(*) FROM \"user\" WHERE notifications_on AND email LIKE 'learner-%'"
    )
    assert set(records_of(scene.course).values()) == {0}
    assert fingerprint([scene.other_course]) == others
