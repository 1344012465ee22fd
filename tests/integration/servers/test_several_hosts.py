"""Two hosts with a worker and a beat each; one is cut off from both servers in the middle of a job, and comes back.

`tests/soak/test_cut_off_hosts.py` does the same with real networks.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from sqlalchemy import make_url

from cli.local import LocalUrls
from models.files import storage
from tests.buckets import bucket_at, s3_server
from tests.conftest import PROJECT
from tests.relays import Relay
from tests.scenes import (
    OTHER_COURSE,
    assert_done_once,
    count_new_registrations,
    make_scene,
    report_of,
    run,
    settled,
    slow_down,
)
from tests.workers import Worker, until

LEARNERS = 2000
MINUTES_AHEAD = 7


@dataclass(frozen=True)
class Host:
    """A host's lines to the servers."""

    database: Relay
    broker: Relay

    def addresses(self, servers: LocalUrls) -> dict[str, object]:
        """Returns the settings of its processes."""
        there = make_url(servers.database).set(host="127.0.0.1", port=self.database.port, query={})
        return {
            "database_url": there.render_as_string(hide_password=False),
            "broker_url": f"redis://127.0.0.1:{self.broker.port}/0",
        }

    def cut_off(self) -> None:
        self.database.cut()
        self.broker.cut()

    def is_back(self) -> None:
        self.database.mend()
        self.broker.mend()


@pytest.fixture
def hosts(servers: LocalUrls) -> Iterator[list[Host]]:
    url = make_url(servers.database)
    database = f"{url.query['host']}/.s.PGSQL.{url.query['port']}"
    broker = servers.broker.removeprefix("redis+socket://").partition("?")[0]
    with ExitStack() as lines:
        yield [Host(lines.enter_context(Relay(database)), lines.enter_context(Relay(broker))) for _ in range(2)]


def files() -> int:
    return sum(len(page) for page in storage.everything())


def test_a_host_that_is_cut_off_in_mid_job_only_costs_time_and_works_again_when_it_is_back(
    servers: LocalUrls,
    database: str,
    hosts: list[Host],
    start_worker: Callable[..., Worker],
    set_up: Callable[..., None],
) -> None:
    with s3_server() as address:
        # Given two hosts, each with a beat of its own, one with a clock that is wrong, and files in a bucket
        set_up(**bucket_at(address))
        scene = make_scene(learners=LEARNERS, completed=100, begun=100, files=True)
        handed_in = files()
        slow_down(0.3)
        count_new_registrations()
        ahead = (sys.executable, str(PROJECT / "tests" / "clock_ahead.py"), str(60 * MINUTES_AHEAD), "celery")
        first = start_worker(**hosts[0].addresses(servers))
        second = start_worker(celery=ahead, **hosts[1].addresses(servers))
        reset = scene.request()
        until(lambda: settled(reset) > LEARNERS / 4)
        # When one is cut off, then the other one goes on
        hosts[0].cut_off()
        before = settled(reset)
        assert before < LEARNERS * 3 / 4, "it was too quick to be disturbed"
        until(lambda: settled(reset) > before)
        # … and it ends as if nothing had been, with the files gone
        hosts[0].is_back()
        assert_done_once(scene, reset)
        until(lambda: files() == handed_in / 2)
        assert all(worker.process.poll() is None for worker in (first, second))
        # The one that is back works, when the other one is cut off
        hosts[1].cut_off()
        run("DROP FUNCTION dawdle CASCADE")
        again = scene.request(course=OTHER_COURSE)
        until(lambda: report_of(again)["done"], 60)
        assert report_of(again)["progress"]["cleared"] == LEARNERS
        until(lambda: files() == 0)
