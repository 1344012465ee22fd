"""RabbitMQ as the broker, by its address alone."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from cli.local import remove
from tests.conftest import PROJECT
from tests.faults.test_lost_brokers import REQUEST
from tests.rabbits import Rabbit
from tests.scenes import ask, assert_done_once, count_new_registrations, make_scene, report_of, run, settled, slow_down
from tests.ups import Up
from tests.workers import Worker, until

COURSE = "SAFETY-101"
LEARNERS = 2000
QUEUES = {"recourse.interactive", "recourse.bulk", "recourse.notify"}
RETURN_IT = """
import time
from config.celery import name_on_the_broker
from tasks.app import app
from tasks.broker import messages_waiting

print(messages_waiting())
times = missing = 0
with app.connection_for_read() as connection, connection.channel() as channel:
    while missing < 20:  # for a moment, a message that is returned is in no queue
        if message := channel.basic_get(name_on_the_broker("interactive")):
            channel.basic_reject(message.delivery_tag, requeue=True)
            times, missing = times + 1, 0
        else:
            missing += 1
            time.sleep(0.1)
print(times)
"""


@pytest.fixture(scope="module")
def rabbit() -> Iterator[Rabbit]:
    with Rabbit() as running:
        yield running


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's tmp_path: the user who runs root's servers may not enter it.
    folder = Path(tempfile.mkdtemp(prefix="recourse-up-"))
    folder.chmod(0o755)
    yield folder
    if (folder / "home" / "in-use.lock").exists():
        remove(folder / "home")
    shutil.rmtree(folder)


def test_a_message_that_comes_back_again_and_again_is_dropped_and_the_reset_goes_on(
    rabbit: Rabbit, database: str, start_worker: Callable[..., Worker]
) -> None:
    def said(script: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=PROJECT,
            env=os.environ | {"RECOURSE_BROKER_URL": rabbit.url, "RECOURSE_BROKER_PREFIX": "returned."},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    # Given a reset that nobody works on, and its message
    scene = make_scene(completed=100)
    said(REQUEST.replace(', "DATA-202"', ","))
    # When that is taken and returned again and again, as by a worker that it kills
    waiting, times = said(RETURN_IT)
    assert waiting == str({"interactive": 1, "bulk": 0, "notify": 0})
    # Then RabbitMQ drops it
    assert times == "21"
    # … which the ledger notices
    start_worker(broker_url=rabbit.url, broker_prefix="returned.")
    reset = ask("SELECT id FROM reset")
    until(lambda: report_of(reset)["done"])
    assert report_of(reset)["progress"]["cleared"] == len(scene.enrolments())
    assert ask("SELECT recoveries FROM reset") > 0


def test_a_reset_runs_to_its_end_when_rabbitmq_and_then_the_worker_are_killed(
    rabbit: Rabbit, start_worker: Callable[..., Worker], database: str
) -> None:
    # Given a reset that workers on RabbitMQ run: this process's own message goes to its Redis, and `recover` sends it
    scene = make_scene(learners=LEARNERS, completed=100, begun=100)
    slow_down(0.2)
    count_new_registrations()
    on_rabbitmq = {"broker_url": rabbit.url, "broker_prefix": "other."}
    worker = start_worker(**on_rabbitmq)
    reset = scene.request()
    until(lambda: settled(reset))
    # When RabbitMQ is killed, and comes back with what it had on its disk, then the same worker goes on
    rabbit.kill()
    rabbit.start()
    before = settled(reset)
    assert before < LEARNERS
    until(lambda: settled(reset) > before)
    # When the worker is killed, then another one takes over
    worker.kill()
    assert settled(reset) < LEARNERS
    run("DROP FUNCTION dawdle CASCADE")  # it has been slow for long enough
    start_worker(**on_rabbitmq)
    assert_done_once(scene, reset)


def test_everything_runs_on_rabbitmq_and_says_so_when_it_is_gone(rabbit: Rabbit, folder: Path) -> None:
    up = Up(folder, broker_url=rabbit.url, flower_broker_api=rabbit.api)
    try:
        up.start()
        # Every part works, and knows the broker
        found = up.findings()
        assert [part for part, finding in found.items() if not finding["ok"]] == [], found
        assert found["broker"]["says"].startswith("RabbitMQ at amqp://guest:***@127.0.0.1:")
        confirmed = ("--reason", "recertification", "--confirm", COURSE, "--watch", "--json")
        done = up("reset", COURSE, *confirmed)
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        assert result["state"] == "succeeded"
        # The queues are replicated, and nothing else of ours stays on the broker
        queues = rabbit.queues()
        assert {name for name, kind in queues.items() if kind == "quorum"} >= QUEUES
        assert [name for name in queues if "delayed" in name] == []
        # Flower has the reset, and the queues; the metrics have their lengths
        operator = ("operator", (up.home / "flower_password").read_text())
        task = httpx.get(f"{up.flower}/api/task/info/{result['id']}", auth=operator, timeout=20).json()
        assert (task["name"], task["state"]) == ("recourse.reset_course", "SUCCESS")

        def shown() -> bool:
            # Flower lists the queues of the workers that it has inspected.
            httpx.get(f"{up.flower}/api/workers?refresh=true", auth=operator, timeout=20)
            page = httpx.get(f"{up.flower}/broker", auth=operator, timeout=20).text
            return all(f'<tr id="{name}">' in page for name in QUEUES)

        until(shown)
        waiting = httpx.get(f"{up.web}/metrics").text
        assert 'recourse_messages_waiting{queue="bulk"} 0.0' in waiting
        # When RabbitMQ is gone, doctor and the metrics say so, and a reset is taken all the same
        rabbit.kill()
        broker = up.findings()["broker"]
        assert broker["ok"] is False
        assert "does not answer" in broker["says"]
        assert broker["remedy"].startswith("Start RabbitMQ, or check RECOURSE_BROKER_URL.")
        assert "recourse_messages_waiting{" not in httpx.get(f"{up.web}/metrics").text
        asked = up("reset", COURSE, *confirmed[:-2])
        assert "Traceback" not in asked.stderr
        # When it is back, with all that it had on its disk, the reset runs
        rabbit.start()
        assert len(json.loads(up("resets", "--json").stdout)) == 2
        until(lambda: {one["state"] for one in json.loads(up("resets", "--json").stdout)} == {"succeeded"}, 60)
    finally:
        up.stop(signal.SIGINT)
        print(up.words())  # noqa: T201 - pytest shows it when the test failed
