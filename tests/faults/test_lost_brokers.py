"""A broker that is emptied, restarted empty, or down."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import redis

from cli.local import LocalServers
from tests.conftest import PROJECT
from tests.crashes import kill_redis, restart_empty
from tests.installations import Installation
from tests.post import Post
from tests.scenes import ask, make_scene, recover, report_of, rows, slow_down, state_of
from tests.sizes import Size, sized
from tests.workers import Worker, until

Installed = Callable[..., Installation]
StartWorker = Callable[..., Worker]


@sized(learners=(1500, 10_000))
def test_a_broker_that_is_emptied_at_10_50_and_90_percent(
    installed: Installed, start_worker: StartWorker, redis_server: redis.Redis, size: Size
) -> None:
    installation = installed(learners=size.learners)
    slow_down(0.1)
    start_worker()
    installation.reset()
    for share in (0.1, 0.5, 0.9):
        installation.wait_for(share)
        redis_server.flushall()
    installation.assert_nothing_is_lost()


def test_a_worker_that_waits_for_messages_while_it_works_outlives_the_loss_of_the_broker(
    installed: Installed, start_worker: StartWorker, own_servers: LocalServers, redis_server: redis.Redis
) -> None:
    # Given a worker of which one process has a slice, and the other one has nothing
    installation = installed(learners=250)
    slow_down(2)
    start_worker(queues="interactive,notify")
    worker = start_worker(queues="bulk", beat=False)
    installation.reset()
    until(lambda: ask("SELECT count(*) FROM reset_slice WHERE begun_at IS NOT NULL"))
    # When the broker crashes, and the worker first notices on its connection for commands, not for messages
    os.kill(worker.process.pid, signal.SIGSTOP)
    assert redis_server.client_kill_filter(_type="pubsub") > 0
    kill_redis(redis_server)
    os.kill(worker.process.pid, signal.SIGCONT)
    until(lambda: "Connection to broker lost" in worker.last_lines())
    own_servers.start()
    # Then the same worker does the rest
    installation.assert_nothing_is_lost()
    assert worker.process.poll() is None, worker.last_lines()


@sized(learners=(1500, 10_000), restarts=(1, 5))
def test_a_broker_that_restarts_empty_has_its_workers_back_within_a_minute(
    installed: Installed, start_worker: StartWorker, own_servers: LocalServers, redis_server: redis.Redis, size: Size
) -> None:
    installation = installed(learners=size.learners)
    slow_down(0.1)
    worker = start_worker()
    installation.reset()
    for restart in range(1, size.restarts + 1):
        installation.wait_for(restart / (size.restarts + 3))
        restart_empty(redis_server, own_servers)
        back_at, before = time.monotonic(), installation.settled()
        until(lambda: installation.settled() > before, 60)  # noqa: B023 - called at once
        print(f"working again after {time.monotonic() - back_at:.1f} s")  # noqa: T201 - pytest -s shows it
    assert worker.process.poll() is None, "no worker was restarted"
    installation.assert_nothing_is_lost()


REQUEST = """
import time
from sqlalchemy import select
from models.access import acting_user
from models.people import Organization
from models.session import transaction
from tasks.app import app
from tasks.reset.impact import preview
from tasks.reset.request import request_reset

app.finalize()
took = []
for course in ("FIRE-101", "DATA-202"):
    with transaction() as session:
        admin = acting_user(session, session.scalars(select(Organization)).one(), "admin@acme.example")
        planned = preview(session, admin, course)
        asked = time.monotonic()
        request_reset(session, admin, plan=planned.token, confirm=course, reason="yearly")
    took.append(time.monotonic() - asked)
print("seconds:", min(took))
"""


def test_a_request_while_the_broker_is_down_is_accepted_in_under_a_second_and_started_later(
    post: Post, set_up: Callable[..., None]
) -> None:
    # Given a process that does not reach the broker
    set_up(recover_after_seconds=0.01)
    scene = make_scene(completed=100)
    asked = subprocess.run(
        [sys.executable, "-c", REQUEST],
        cwd=PROJECT,
        env=os.environ | {"RECOURSE_BROKER_URL": "redis://127.0.0.1:1/0"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    # When it asks for a reset, then that is accepted, and the log says who will send it
    assert asked.returncode == 0, asked.stderr
    assert "publish_failed" in asked.stdout + asked.stderr
    assert float(asked.stdout.rpartition("seconds: ")[2]) < 1, "someone waits for the answer"
    resets = [reset for (reset,) in rows("SELECT id FROM reset")]
    assert [state_of(reset) for reset in resets] == ["requested"] * 2
    assert post.take() == []
    # And recover starts them
    recover()
    post.drain()
    assert [state_of(reset) for reset in resets] == ["succeeded"] * 2
    assert [report_of(reset)["progress"]["cleared"] for reset in resets] == [len(scene.enrolments())] * 2
