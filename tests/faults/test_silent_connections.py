"""Connections that are open and dead: nothing arrives any more, and no one is told."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import make_url

from cli.local import LocalUrls
from tests.cut_off import CutOffHost
from tests.installations import Installation
from tests.relays import Relay
from tests.scenes import ask, slow_down
from tests.sizes import Size, sized
from tests.workers import CELERY, Worker, until

PORTS = 5432, 6379
LIMITS = {"statement_timeout_seconds": 3, "task_time_limit_seconds": 10}


@sized(learners=(1500, 10_000), times=(1, 3))
def test_a_worker_whose_connections_to_both_servers_die_silently(
    installed: Callable[..., Installation], start_worker: Callable[..., Worker], servers: LocalUrls, size: Size
) -> None:
    installation = installed(learners=size.learners)
    slow_down(0.3)
    database_socket, redis_socket = sockets_of(servers)
    with Relay(str(database_socket)) as to_database, Relay(str(redis_socket)) as to_broker:
        # Given a worker that reaches both servers through a gateway
        worker = start_worker(**through(servers, to_database.port, to_broker.port), beat=False, **LIMITS)
        installation.reset()
        for time_ in range(1, size.times + 1):
            installation.wait_for(time_ / (size.times + 2))
            # When the gateway forgets its connections in the middle of slices
            assert to_database.go_silent() > 0
            assert to_broker.go_silent() > 0
            assert installation.settled() < size.learners
            # Then another worker, with the beat, takes over what the dead connections still held
            other = start_worker(**LIMITS)
            installation.wait_for((time_ + 1) / (size.times + 1))
            other.stop()
            # … and the first one notices, and works again
            before = installation.settled()
            installation.reset([user.id for user in installation.scene.users()[time_ : time_ + 1]])
            until(lambda: installation.settled() > before, 60)  # noqa: B023 - called at once
        assert worker.process.poll() is None
        start_worker()
        installation.assert_nothing_is_lost()


@sized(learners=(1500, 10_000))
def test_a_worker_whose_packets_to_both_servers_are_dropped(
    installed: Callable[..., Installation], start_worker: Callable[..., Worker], servers: LocalUrls, size: Size
) -> None:
    # Given a worker on a host of its own
    installation = installed(learners=size.learners)
    slow_down(0.3)
    with CutOffHost(dict(zip(PORTS, sockets_of(servers), strict=True))) as host:
        worker = start_worker(celery=(*host.on, *CELERY), **through(servers, *PORTS), beat=False, **LIMITS)
        installation.reset()
        installation.wait_for(0.3)
        # When its packets are dropped while it holds locks, then another worker does the rest
        host.drop_packets()
        assert installation.settled() < size.learners
        other = start_worker(**LIMITS)
        installation.wait_for(1)
        other.stop()
        # … and when they pass again, but no server knows its connections any more, it notices, and works
        host.forget_and_pass_on()
        installation.reset([installation.scene.users()[0].id])
        until(lambda: installation.settled() > size.learners, 60)
        assert worker.process.poll() is None
        start_worker()
        installation.assert_nothing_is_lost()
        worker.stop()


def sockets_of(servers: LocalUrls) -> tuple[Path, Path]:
    """Returns the sockets of PostgreSQL and Redis."""
    folder = make_url(servers.database).query.get("host") or ask("SHOW unix_socket_directories")
    broker = servers.broker.removeprefix("redis+socket://").partition("?")[0]
    return Path(str(folder)) / f".s.PGSQL.{ask('SHOW port')}", Path(broker)


def through(servers: LocalUrls, database: int, broker: int) -> dict[str, str]:
    """Returns the settings of a worker that reaches both servers by these ports."""
    url = make_url(servers.database).set(host="127.0.0.1", port=database, query={})
    return {
        "database_url": url.render_as_string(hide_password=False),
        "broker_url": f"redis://127.0.0.1:{broker}/0",
    }
