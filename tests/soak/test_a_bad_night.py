"""Six overlapping resets while everything is killed again and again: `make soak`."""

import os
import random
import signal
import time
from collections.abc import Callable

import psycopg
import pytest
import redis

from cli.local import LocalServers
from tasks.reset.plan import MOST_NAMED_USERS
from tests.crashes import crash, restart_empty
from tests.installations import Writing, install
from tests.mail_server import LoopbackMailServer
from tests.receiver import Receiver
from tests.recovery import OPEN_SLICES, RECOVERED_AFTER, seconds_until, unless_down
from tests.scenes import slow_down_each
from tests.workers import AS_INSTALLED, Worker

LEARNERS = 20_000
SECONDS_EACH = 0.016  # that clearing a learner takes in addition: two minutes for all, by four processes
OVERLAPPING = 5
STEP = 800  # from the first learner of one to that of the next
SECONDS = 120
FEW = 8  # slices that are left at the last blow, or fewer
BETWEEN = (1.0, 4.0)
OPEN_ALERTS = (
    "SELECT (SELECT count(*) FROM reset WHERE finished_at IS NULL) "
    "+ (SELECT count(*) FROM reset_slice WHERE alerts_due) "
    "+ (SELECT count(*) FROM notification WHERE state = 'pending')"
)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_six_resets_survive_two_minutes_of_everything(
    database: str,
    set_up: Callable[..., None],
    start_worker: Callable[..., Worker],
    own_servers: LocalServers,
    redis_server: redis.Redis,
    capsys: pytest.CaptureFixture[str],
) -> None:
    chance = random.Random(int(os.environ.get("NIGHT", "20261123")))
    with LoopbackMailServer() as mails, Receiver() as webhooks:
        installation = install(set_up, mails, webhooks, learners=LEARNERS)
        users = [user.id for user in installation.scene.users()]
        slow_down_each(SECONDS_EACH)
        installation.reset()
        for number in range(OVERLAPPING):
            installation.reset(users[number * STEP : number * STEP + MOST_NAMED_USERS])
        blows: list[str] = []
        with Writing(installation, 50):
            beat = start_worker(queues="interactive", **AS_INSTALLED)
            workers = [start_worker(beat=False, **AS_INSTALLED) for _ in range(2)]
            began = time.monotonic()
            while time.monotonic() < began + SECONDS or _many_are_left():
                time.sleep(chance.uniform(*BETWEEN))
                blow = chance.choice(("worker", "child", "empty", "restart", "database", "connections", "freeze"))
                blows.append(blow)
                victim = chance.randrange(len(workers))
                match blow:
                    case "worker":
                        workers[victim].kill()
                        workers[victim] = start_worker(beat=False, **AS_INSTALLED)
                    case "child":
                        if children := workers[victim].children():
                            chance.choice(children).kill()
                    case "empty":
                        redis_server.flushall()
                    case "restart":
                        restart_empty(redis_server, own_servers)
                    case "database":
                        crash(database)
                    case "connections":
                        with psycopg.connect(database, autocommit=True) as connection:
                            connection.execute(
                                b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                b"WHERE datname = current_database() AND pid <> pg_backend_pid()"
                            )
                    case "freeze":
                        os.killpg(workers[victim].process.pid, signal.SIGSTOP)
                        time.sleep(chance.uniform(1, 5))
                        os.killpg(workers[victim].process.pid, signal.SIGCONT)
            last = time.monotonic()
        left = unless_down(OPEN_SLICES)
        recovered, alerted = (seconds_until(query, last) for query in (OPEN_SLICES, OPEN_ALERTS))
        assert left != 0, "all was done before the last blow: make SECONDS_EACH longer"
        with capsys.disabled():
            print(  # noqa: T201
                f"\n{len(blows)} blows in {last - began:.0f} s, the last: {blows[-1]}; {left} slices were left; the "
                f"last one done {recovered:.1f} s later, the last alert {alerted:.1f} s later; "
                f"{len(installation.books.written):,} writes"
            )
        assert [worker.process.poll() for worker in (beat, *workers)] == [None] * 3, "none may end by itself"
        installation.assert_nothing_is_lost(limit=300)
    assert recovered <= RECOVERED_AFTER


def _many_are_left() -> bool:
    left = unless_down(OPEN_SLICES)
    return left is None or left > FEW
