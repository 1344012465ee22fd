"""PostgreSQL crashes in the middle of a reset, and loses commits that did not wait for the disk."""

import os
import random
import signal
import time
from collections.abc import Callable

import psycopg
import pytest

from models.records import record_kinds
from models.session import forget_engine
from tests.scenes import Scene, alerts, ask, ledger, make_scene, report_of, rows, run, slow_down, state_of
from tests.workers import Worker, until

CRASHES = 5
LEARNERS = 3000


def crash(database: str) -> None:
    """Kill a process of the server: it restarts all of them, without what was only in memory."""
    with psycopg.connect(database, autocommit=True) as connection:
        [(victim,)] = connection.execute(
            b"SELECT pid FROM pg_stat_activity WHERE backend_type = 'background writer'"
        ).fetchall()
    os.kill(victim, signal.SIGKILL)
    forget_engine(close=False)
    until(lambda: is_up(database), 60)


def is_up(database: str) -> bool:
    try:
        with psycopg.connect(database, connect_timeout=2) as connection:
            connection.execute(b"SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture
def scene(database: str) -> Scene:
    scene = make_scene(learners=LEARNERS, completed=100, begun=100)
    run("CREATE TABLE renewal (enrolment_id bigint)")
    run(
        "CREATE FUNCTION note_renewals() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO renewal "
        "SELECT n.id FROM new_rows n JOIN old_rows o USING (id) WHERE n.registration <> o.registration; "
        "RETURN NULL; END $$"
    )
    run(
        "CREATE TRIGGER note_renewals AFTER UPDATE ON enrolment REFERENCING OLD TABLE AS old_rows "
        "NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_renewals()"
    )
    return scene


@pytest.mark.timeout(300)
def test_crashes_of_the_database_lose_nobody_and_reset_nobody_twice(
    scene: Scene, database: str, start_worker: Callable[..., Worker]
) -> None:
    # Given a reset that is running
    before = {enrolment.id: enrolment.registration for enrolment in scene.enrolments()}
    wanted = {user.id for user in scene.users() if user.notifications_on}
    slow_down(0.1)
    start_worker()
    reset = scene.request()
    # When the database crashes again and again
    for number in range(1, CRASHES + 1):
        until(lambda: settled() >= LEARNERS * number // (CRASHES + 2), 60)  # noqa: B023 - called at once
        time.sleep(random.uniform(0, 0.3))
        crash(database)
    until(lambda: report_of(reset)["done"], 120)
    # Then each learner was reset once, has one alert if they want alerts, and nothing of theirs is left
    assert state_of(reset) == "succeeded"
    assert {state for state, _ in ledger(reset).values()} <= {"cleared", "unchanged"}
    assert set(ledger(reset)) == set(before)
    assert all(enrolment.registration != before[enrolment.id] for enrolment in scene.enrolments())
    assert rows("SELECT enrolment_id, count(*) FROM renewal GROUP BY 1 HAVING count(*) > 1") == []
    assert ask("SELECT count(*) FROM renewal") == LEARNERS
    cleared = {enrolment for enrolment, (state, _) in ledger(reset).items() if state == "cleared"}
    users = {enrolment.user_id for enrolment in scene.enrolments() if enrolment.id in cleared}
    assert set(alerts(reset)) == users & wanted
    for kind in record_kinds():
        stale = f"SELECT count(*) FROM {kind.kind()} WHERE registration NOT IN (SELECT registration FROM enrolment)"
        assert ask(stale) == 0, kind.kind()


def settled() -> int:
    return int(ask("SELECT coalesce(sum(cleared + unchanged + skipped + failed), 0) FROM reset_slice"))
