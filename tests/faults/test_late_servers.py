"""Processes that start before their servers."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.local import LocalServers, LocalUrls, remove
from tests.conftest import PROJECT, SECRET
from tests.flowers import Flower
from tests.workers import Worker, until

A_RESET = """
import os
own = dict(os.environ)
import tests  # removes the settings from the environment
os.environ |= own
from tasks.app import app
from tests.scenes import make_scene
scene = make_scene()
print(app.AsyncResult(str(scene.request())).get(timeout=30)["state"])
"""


@pytest.fixture
def home() -> Iterator[Path]:
    # Not pytest's tmp_path: the servers of root run as another user, who may not enter it.
    folder = Path(tempfile.mkdtemp(prefix="recourse-test-"))
    folder.chmod(0o755)
    yield folder / "home"
    remove(folder / "home")
    shutil.rmtree(folder)


@pytest.fixture
def stopped(home: Path, monkeypatch: pytest.MonkeyPatch) -> LocalUrls:
    """Stopped servers with a migrated database."""
    with LocalServers(home) as servers:
        urls = servers.start()
        monkeypatch.setenv("RECOURSE_DATABASE_URL", urls.database)
        monkeypatch.setenv("RECOURSE_BROKER_URL", urls.broker)
        monkeypatch.setenv("RECOURSE_SECRET_KEY", SECRET)
        recourse("database", "upgrade")
    return urls


def recourse(*words: str) -> str:
    command = [sys.executable, "-m", "cli.main", *words]
    return subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stdout


def said(log: Path, event: str) -> list[str]:
    """Return the servers for which the process logged this event."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith('{"')]
    return [line["server"] for line in lines if line["event"] == event]


def test_a_worker_and_its_clock_wait_for_both_servers_and_work_when_they_come(
    stopped: LocalUrls, home: Path, tmp_path: Path
) -> None:
    # Given a worker with beat, started while neither server runs
    worker = Worker(PROJECT, tmp_path / "worker", beat=True, queues="interactive,bulk,notify", environment={})
    postgres, redis = LocalServers(home, redis=False), LocalServers(home, postgres=False)
    try:
        until(lambda: said(worker.log, "server_awaited"), 30)
        time.sleep(8)  # it once gave up sooner than this
        assert worker.process.poll() is None, worker.last_lines()
        # Then it has logged once what it waits for
        assert said(worker.log, "server_awaited") == ["PostgreSQL"]
        # When the first one starts, it logs that and waits for the other
        postgres.start()
        until(lambda: said(worker.log, "server_awaited") == ["PostgreSQL", "broker"], 30)
        assert said(worker.log, "server_answers") == ["PostgreSQL"]
        time.sleep(3)
        assert worker.process.poll() is None, worker.last_lines()
        # … and works once both run
        redis.start()
        worker.wait_until_ready()
        assert said(worker.log, "server_awaited") == said(worker.log, "server_answers") == ["PostgreSQL", "broker"]
        script = [sys.executable, "-c", A_RESET]
        done = subprocess.run(script, cwd=PROJECT, capture_output=True, text=True, timeout=90, check=False)
        assert done.stdout == "succeeded\n", done.stderr + worker.last_lines()
        assert '"level": "error"' not in worker.log.read_text()
    finally:
        worker.stop()
        redis.stop()
        postgres.stop()


def test_beat_alone_waits_too(stopped: LocalUrls, home: Path, tmp_path: Path) -> None:
    log = tmp_path / "beat.log"
    command = [sys.executable, "-m", "celery", "-A", "worker", "beat"]
    command += ["--scheduler=celery.beat:Scheduler", "--pidfile="]
    with log.open("wb") as output:
        beat = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    servers = LocalServers(home)
    try:
        until(lambda: said(log, "server_awaited") == ["PostgreSQL"], 30)
        time.sleep(6)
        assert beat.poll() is None
        servers.start()
        until(lambda: "it ticked" in recourse("doctor", "--part", "beat"), 30)
        assert '"level": "error"' not in log.read_text()
    finally:
        beat.terminate()
        beat.wait(10)
        servers.stop()


def test_flower_sees_the_workers_of_a_broker_that_came_later(stopped: LocalUrls, home: Path, tmp_path: Path) -> None:
    flower = Flower(PROJECT, tmp_path)
    servers, worker = LocalServers(home), None
    flower.start()
    try:
        time.sleep(3)
        servers.start()
        worker = Worker(PROJECT, tmp_path / "worker", beat=False, queues="bulk", environment={})
        worker.wait_until_ready()
        until(flower.sees_a_worker, 60)
    finally:
        if worker:
            worker.stop()
        flower.stop()
        servers.stop()
