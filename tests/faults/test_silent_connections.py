"""Connections that are open and dead: nothing arrives any more, and no one is told."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import make_url

from cli.local import LocalUrls
from tests.installations import Installation
from tests.relays import Relay
from tests.scenes import ask, slow_down
from tests.sizes import Size, sized
from tests.workers import Worker, until

LIMITS = {"statement_timeout_seconds": 3, "task_time_limit_seconds": 10}


@sized(learners=(1500, 10_000), times=(1, 3))
def test_a_worker_whose_connections_to_both_servers_die_silently(
    installed: Callable[..., Installation], start_worker: Callable[..., Worker], servers: LocalUrls, size: Size
) -> None:
    installation = installed(learners=size.learners)
    slow_down(0.3)
    url = make_url(servers.database)
    [port] = [ask("SHOW port")]
    folder = url.query.get("host") or ask("SHOW unix_socket_directories")
    database_socket = Path(str(folder)) / f".s.PGSQL.{port}"
    redis_socket = servers.broker.removeprefix("redis+socket://").partition("?")[0]
    with Relay(str(database_socket)) as to_database, Relay(redis_socket) as to_broker:
        # Given a worker that reaches both servers through a gateway
        through = url.set(host="127.0.0.1", port=to_database.port, query={}).render_as_string(hide_password=False)
        worker = start_worker(
            database_url=through, broker_url=f"redis://127.0.0.1:{to_broker.port}/0", beat=False, **LIMITS
        )
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
