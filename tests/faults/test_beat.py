"""Duplicate or killed beats, and a broker that is down: each occurrence of a rule happens once."""

import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import redis

from tests.rules import CALENDAR, ONCE, ROLLING, group, make, occurrences, rule_of
from tests.scenes import Scene, ask, count_new_registrations, make_scene, rows, run
from tests.workers import Worker, until

OFTEN = {"retrain_every_seconds": 0.3}


@pytest.fixture
def scene(database: str) -> Scene:
    scene = make_scene(learners=12, completed=100)
    count_new_registrations()
    return scene


def once_in(scene: Scene, seconds: float, **terms: object) -> tuple[UUID, datetime]:
    """Make a one-time rule that is due in about `seconds`. Returns its id and its due time."""
    now = datetime.now(UTC)
    at = (now + timedelta(seconds=seconds)).replace(microsecond=0) + timedelta(seconds=1)
    return make(scene, now, **ONCE, starts=at.replace(tzinfo=None), **terms), at


def settled(*rules: UUID) -> bool:
    return all(
        state in ("settled", "skipped") for rule in rules for _, state, _ in occurrences(rule) or [(0, "none", 0)]
    )


def test_three_beats_and_two_workers_begin_each_occurrence_once(
    scene: Scene, start_worker: Callable[..., Worker], start_beat: Callable[[], object]
) -> None:
    for number in range(2):
        start_beat()
        start_worker(beat=number == 0, **OFTEN)  # the first worker has a third beat
    rule, at = once_in(scene, 1)
    until(lambda: settled(rule))
    time.sleep(1.5)  # about five more ticks of each beat
    assert occurrences(rule) == [(at, "settled", None)]
    assert rows("SELECT requester FROM reset") == [(f"rule:{rule}",)]
    assert rows("SELECT max(n) FROM (SELECT count(*) AS n FROM new_registration GROUP BY enrolment_id) x") == [(1,)]
    assert ask("SELECT count(*) FROM new_registration") == 12


def test_a_beat_killed_before_a_due_time_only_delays_it(
    scene: Scene, start_worker: Callable[..., Worker], start_beat: Callable[[], "subprocess.Popen[bytes]"]
) -> None:
    start_worker(beat=False)
    beat = start_beat()
    first, _ = once_in(scene, 0)
    until(lambda: settled(first))  # beat is running
    rule, at = once_in(scene, 3)
    until(lambda: rule_of(rule).look_at == at)  # a tick has set when to look again
    beat.kill()
    beat.wait()
    until(lambda: datetime.now(UTC) > at + timedelta(seconds=1))
    assert occurrences(rule) == []
    start_beat()
    until(lambda: settled(rule))
    assert occurrences(rule) == [(at, "settled", None)]
    assert rows("SELECT requester FROM reset ORDER BY requested_at") == [(f"rule:{first}",), (f"rule:{rule}",)]


def test_a_broker_outage_over_three_due_times_loses_none_of_them(
    scene: Scene, start_worker: Callable[..., Worker], redis_server: redis.Redis
) -> None:
    # Given three rules that are due one after the other, each for other learners
    users = scene.users()
    people = [[user.email for user in users[number::3]] for number in range(3)]
    for number, emails in enumerate(people):
        group(scene, f"group-{number}", emails)
    start_worker(**OFTEN)
    rules = [once_in(scene, 5 + number, audience="group", group=f"group-{number}") for number in range(3)]
    last = rules[-1][1]
    # When Redis loses its data and accepts nothing until all three are past due
    try:
        redis_server.flushall()
        redis_server.client_pause(int((last - datetime.now(UTC)).total_seconds() * 1000) + 1500)
        until(lambda: datetime.now(UTC) > last + timedelta(seconds=1))
        assert ask("SELECT count(*) FROM reset") == 0
    finally:
        redis_server.client_unpause()
    # Then each happens once
    until(lambda: settled(*(rule for rule, _ in rules)), 60)
    assert [occurrences(rule) for rule, _ in rules] == [[(at, "settled", None)] for _, at in rules]
    assert ask("SELECT count(*) FROM reset") == 3
    assert rows("SELECT count(*), count(DISTINCT enrolment_id) FROM new_registration") == [(12, 12)]


def test_of_the_missed_due_times_of_a_rule_only_the_latest_runs(
    scene: Scene, start_worker: Callable[..., Worker]
) -> None:
    # Given a daily rule, and no worker for a little over three days
    begun = datetime.now(UTC) - timedelta(days=3, hours=6)
    starts = (begun - timedelta(days=30) + timedelta(hours=1)).replace(microsecond=0, tzinfo=None)
    daily = make(scene, begun, **CALENDAR | {"recurrence": "FREQ=DAILY;COUNT=34"}, starts=starts)
    start_worker(**OFTEN)
    until(lambda: settled(daily))
    assert [state for _, state, _ in occurrences(daily)] == ["skipped"] * 3 + ["settled"]
    assert all("replaced by" in str(reason) for _, _, reason in occurrences(daily)[:3])
    assert ask("SELECT count(*) FROM reset") == 1


def test_a_worker_killed_in_the_middle_of_a_tick_leaves_all_or_nothing(
    scene: Scene, start_worker: Callable[..., Worker]
) -> None:
    # Given a tick that hangs after it has written the occurrences and requested the reset
    run("UPDATE enrolment SET completed_at = now() - interval '1 year' - interval '1 day', assigned_at = '2020-01-01'")
    run(
        "CREATE FUNCTION hang_here() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END $$"
    )
    run("CREATE TRIGGER hang_here AFTER INSERT ON reset FOR EACH ROW EXECUTE FUNCTION hang_here()")
    rule = make(scene, datetime.now(UTC) - timedelta(days=2), **ROLLING, at_time="00:00")
    worker = start_worker(**OFTEN)
    until(lambda: ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
    worker.kill()
    assert occurrences(rule) == []
    until(lambda: not ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
    assert ask("SELECT count(*) FROM reset") == 0
    run("DROP FUNCTION hang_here CASCADE")
    start_worker(**OFTEN)
    until(lambda: settled(rule), 60)
    assert [state for _, state, _ in occurrences(rule)] == ["settled"] * 12
    assert ask("SELECT count(*) FROM reset") == 1
    assert rows("SELECT count(*), count(DISTINCT enrolment_id) FROM new_registration") == [(12, 12)]
