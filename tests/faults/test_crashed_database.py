"""PostgreSQL crashes in the middle of a reset, and loses commits that did not wait for the disk."""

import random
import time
from collections.abc import Callable

from tests.crashes import crash
from tests.installations import Installation
from tests.scenes import ask, report_of, run, slow_down
from tests.sizes import Size, sized
from tests.workers import Worker, until


@sized(learners=(1500, 10_000), crashes=(2, 5))
def test_a_database_that_crashes_again_and_again(
    installed: Callable[..., Installation], database: str, start_worker: Callable[..., Worker], size: Size
) -> None:
    installation = installed(learners=size.learners)
    slow_down(0.1)
    moments = random.Random(8)
    start_worker()
    installation.reset()
    for number in range(1, size.crashes + 1):
        installation.wait_for(number / (size.crashes + 2))
        time.sleep(moments.uniform(0, 0.3))
        crash(database)
    installation.assert_nothing_is_lost()


def test_a_disk_that_fills_up_in_the_middle_fails_nobody(
    installed: Callable[..., Installation], start_worker: Callable[..., Worker]
) -> None:
    # Given a database that has no room for new row versions, as it says so itself
    installation = installed(learners=1000)
    start_worker()
    run(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = 'disk_full'; END $$"
    )
    run("CREATE TRIGGER full_disk BEFORE UPDATE ON enrolment FOR EACH ROW EXECUTE FUNCTION full_disk()")
    reset = installation.reset()
    # When every slice was tried more than once
    until(lambda: (ask("SELECT min(attempts) FROM reset_slice") or 0) > 1, 60)
    assert report_of(reset)["progress"]["failed"] == 0
    # Then all goes on once there is room
    run("DROP FUNCTION full_disk CASCADE")
    installation.assert_nothing_is_lost()
