"""RabbitMQ as the broker, by its address alone."""

import json
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from cli.local import remove
from tests.faults.test_certain_moments import LEARNERS, assert_done_once, settled
from tests.rabbits import Rabbit
from tests.scenes import count_new_registrations, make_scene, slow_down
from tests.ups import Up
from tests.workers import Worker, until

COURSE = "SAFETY-101"
QUEUES = {"recourse.interactive", "recourse.bulk", "recourse.notify"}


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


@pytest.mark.timeout(400)
def test_everything_runs_on_rabbitmq_and_says_so_when_it_is_gone(rabbit: Rabbit, folder: Path) -> None:
    up = Up(folder, broker_url=rabbit.url)
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
        # Flower has the reset, and the metrics have the queues
        password = (up.home / "flower_password").read_text()
        task = httpx.get(f"{up.flower}/api/task/info/{result['id']}", auth=("operator", password), timeout=20).json()
        assert (task["name"], task["state"]) == ("recourse.reset_course", "SUCCESS")
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
        again = json.loads(up("resets", "--json").stdout)
        until(lambda: {one["state"] for one in json.loads(up("resets", "--json").stdout)} == {"succeeded"}, 60)
        assert len(again) == 2
    finally:
        up.stop(signal.SIGINT)
        print(up.words())  # noqa: T201 - pytest shows it when the test failed


@pytest.mark.timeout(300)
def test_another_worker_takes_over_when_one_is_killed(rabbit: Rabbit, start_worker: Callable[..., Worker]) -> None:
    # Given a reset that workers on RabbitMQ run: this process's own message goes to its Redis, and `recover` sends it
    scene = make_scene(learners=LEARNERS, completed=100, begun=100)
    slow_down(0.1)
    count_new_registrations()
    on_rabbitmq = {"broker_url": rabbit.url, "broker_prefix": "other."}
    worker = start_worker(**on_rabbitmq)
    reset = scene.request()
    until(lambda: settled(reset) > LEARNERS / 4)
    # When the worker is killed
    worker.kill()
    assert settled(reset) < LEARNERS
    start_worker(**on_rabbitmq)
    assert_done_once(scene, reset)
