"""Sharing a Redis with other Celery applications: none takes or answers the messages of another."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery

from cli.local import LocalServers, LocalUrls
from cli.workers import Workers
from models.tokens import Scope
from tasks.app import app
from tests.asking import application, signed
from tests.conftest import PROJECT
from tests.scenes import COURSE, make_scene, report_of, rows, state_of
from tests.workers import Worker, until


class Shop:
    """A worker of the other application, which takes the queues `interactive`, `bulk`, `notify` and its default."""

    def __init__(self, broker: str, log: Path) -> None:
        self.log = log
        command = [sys.executable, "-m", "celery", "-A", "tests.foreign.shop", "worker"]
        command += ["-P", "solo", "-E", "-l", "info"]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, "-Q", "celery,interactive,bulk,notify", "-n", "shop@%h"],
                cwd=PROJECT,
                env=os.environ | {"SHOP_BROKER_URL": broker},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        until(lambda: b" ready." in log.read_bytes(), 30)

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def shop(servers: LocalUrls, database: str, tmp_path: Path) -> Iterator[Shop]:
    own = Shop(servers.broker, tmp_path / "shop.log")
    yield own
    own.stop()


@pytest.fixture
def shop_app(servers: LocalUrls) -> Iterator[Celery]:
    """The other application, as it sends commands to its workers."""
    with Celery("shop", broker=servers.broker, set_as_current=False) as client:
        client.conf.broker_transport_options = {"socket_connect_timeout": 3}
        yield client


class NoServers(LocalServers):
    """The servers of a command that starts none itself."""

    def each(self) -> list[Any]:
        return []


NO_SERVERS = NoServers(Path("nowhere"), postgres=False, redis=False)


def test_neither_takes_the_messages_of_the_other(
    shop: Shop, shop_app: Celery, start_worker: Callable[..., Worker], redis_server: redis.Redis
) -> None:
    # Given a worker of each, with queues of the same names
    worker = start_worker(beat=False)
    scene = make_scene(learners=30)
    # When there is work for both
    reset = scene.request()
    for number in range(30):
        queue = ("interactive", "bulk", "notify")[number % 3]
        shop_app.send_task("shop.take_order", args=[number], queue=queue)
    # Then each does all of its own work
    until(lambda: report_of(reset)["done"], 30)
    assert state_of(reset) == "succeeded"
    until(lambda: shop.said().count(" is taken") >= 30, 30)
    # … and none of the other's
    assert "recourse." not in shop.said()
    assert "shop." not in worker.log.read_text()
    # … and unacknowledged messages are kept apart, or one would restore the other's after its own timeout
    with app.connection_for_read() as connection:
        channel = connection.default_channel
        assert channel.unacked_key.startswith("recourse.")
        assert channel.unacked_index_key.startswith("recourse.")
        assert channel.unacked_mutex_key.startswith("recourse.")


def test_neither_answers_the_other_ones_commands(
    shop: Shop, shop_app: Celery, start_worker: Callable[..., Worker]
) -> None:
    start_worker(beat=False)
    assert [next(iter(one)).split("@")[0] for one in shop_app.control.ping(timeout=2)] == ["shop"]
    assert [next(iter(one)).split("@")[0] for one in app.control.ping(timeout=2)] == ["worker-0"]


def test_neither_receives_the_events_of_the_other(
    shop: Shop, shop_app: Celery, start_worker: Callable[..., Worker]
) -> None:
    start_worker(beat=False)
    heard: dict[str, set[str]] = {"shop": set(), "ours": set()}
    for name, celery in (("shop", shop_app), ("ours", app)):
        with celery.connection_for_read() as connection:
            own = heard[name]
            receiver = celery.events.Receiver(
                connection, handlers={"*": lambda event, own=own: own.add(event["hostname"].split("@")[0])}
            )
            receiver.capture(limit=6, timeout=30)  # of heartbeats there are two every two seconds
    assert heard == {"shop": {"shop"}, "ours": {"worker-0"}}


def test_installations_with_different_prefixes_are_separate(start_worker: Callable[..., Worker], database: str) -> None:
    # Given a worker of another installation
    other = start_worker(beat=False, broker_prefix="recourse-test.")
    reset = make_scene().request()
    # Then it neither answers nor takes messages
    assert app.control.ping(timeout=2) == []
    start_worker(beat=False)
    until(lambda: report_of(reset)["done"], 30)
    assert "task_received" not in other.log.read_text()


def test_another_application_requests_a_reset_and_gets_a_reply(
    shop: Shop, shop_app: Celery, start_worker: Callable[..., Worker]
) -> None:
    start_worker(beat=False)
    scene = make_scene()
    known_as = application(scene, Scope.RESETS_WRITE)
    wanted = {
        "organization": "acme",
        "course": COURSE,
        "reason": "case 7731",
        "idempotency_key": "7731",
        "reply_to": {"task": "shop.hear", "queue": "bulk"},
    }
    # When it sends a valid and an invalid request through its own Celery application
    for confirm in (COURSE, "yes"):
        kwargs = signed(known_as, "recourse.request_reset", confirm=confirm, **wanted)
        shop_app.send_task("recourse.request_reset", kwargs=kwargs, queue="recourse.interactive", ignore_result=True)
        wanted["idempotency_key"] = "7732"
    # Then its own worker gets both replies
    until(lambda: shop.said().count("heard ") == 2, 30)
    (reset,) = rows("SELECT id::text FROM reset")
    assert f"('reset', '{reset[0]}')" in shop.said()
    assert "('refused', 'confirm-mismatch')" in shop.said()


def test_a_command_starts_its_own_worker_beside_a_foreign_one(shop: Shop, tmp_path: Path) -> None:
    # Given a worker of another application that answers on the same Redis
    workers = Workers(tmp_path / "worker.log", NO_SERVERS, may_run=True)
    try:
        # When a command needs a worker, it does not mistake that one for ours
        assert workers.ensure() is True
        scene = make_scene()
        reset = scene.request()
        until(lambda: report_of(reset)["done"], 30)
        assert state_of(reset) == "succeeded"
    finally:
        workers.stop()


def test_a_command_starts_a_worker_if_no_worker_reads_one_of_the_queues(
    start_worker: Callable[..., Worker], database: str, tmp_path: Path
) -> None:
    start_worker(beat=False, queues="notify")
    workers = Workers(tmp_path / "worker.log", NO_SERVERS, may_run=True)
    try:
        assert workers.ensure() is True
    finally:
        workers.stop()
    start_worker(beat=False, queues="bulk,interactive")
    assert Workers(tmp_path / "worker.log", NO_SERVERS, may_run=True).ensure() is False
