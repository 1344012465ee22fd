"""Two worker hosts with networks of their own. One loses its network in the middle of a job, and gets it back."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from cli.local import LocalServers, remove
from cli.local.place import place_of
from cli.local.programs import redis_program
from tests.conftest import libpq
from tests.databases import recourse_on, values
from tests.namespaces import Network
from tests.scenes import (
    OTHER_COURSE,
    alerts,
    count_new_registrations,
    make_scene,
    records_of,
    report_of,
    rows,
    run,
    settled,
    slow_down,
)
from tests.workers import CELERY, Worker, until

LEARNERS = 10_000
LONGEST = 120  # seconds in which the other host does the rest
PORT = 6380


@pytest.fixture
def network() -> Iterator[Network]:
    with Network(hosts=2) as network:
        yield network


@pytest.fixture
def database_url(network: Network) -> Iterator[str]:
    """A PostgreSQL that listens on the network, with a migrated database."""
    folder = Path(tempfile.mkdtemp(prefix="recourse-hosts-"))
    folder.chmod(0o755)
    home = folder / "home"
    servers = LocalServers(home, redis=False)
    try:
        local = servers.start().database
        with psycopg.connect(libpq(local), autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET listen_addresses = '{network.address}'".encode())
        servers.stop()
        servers.start()
        with (place_of(home).folder / "pg_hba.conf").open("a") as hba:
            hba.write(f"host all all {network.subnet} trust\n")
        values(local, "SELECT pg_reload_conf()")
        url = f"postgresql://recourse@{network.address}:5432/recourse"
        migrated = recourse_on(url, "database", "upgrade")
        assert migrated.returncode == 0, migrated.stderr
        yield url
    finally:
        servers.stop()
        remove(home)
        shutil.rmtree(folder)


@pytest.fixture
def broker_url(network: Network, tmp_path: Path) -> Iterator[str]:
    """A Redis that listens on the network."""
    program = redis_program(place_of(tmp_path))
    command = [str(program), "--bind", network.address, "--port", str(PORT), "--protected-mode", "no", "--save", ""]
    with (tmp_path / "redis.log").open("wb") as log:
        process = subprocess.Popen([*command, "--dir", str(tmp_path)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def answers() -> bool:
        try:
            return bool(redis.Redis(network.address, PORT).ping())
        except redis.RedisError:
            return False

    try:
        until(answers)
        yield f"redis://{network.address}:{PORT}/0"
    finally:
        process.kill()
        process.wait()


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_host_that_loses_its_network_in_mid_job_only_costs_time_and_works_again_when_it_is_back(
    network: Network,
    database_url: str,
    broker_url: str,
    database: str,
    start_worker: Callable[..., Worker],
    set_up: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Given two hosts, each with a worker and a beat
    set_up(database_url=database_url)
    assert rows("SELECT current_setting('tcp_keepalives_idle')") == [("10",)]
    scene = make_scene(learners=LEARNERS, completed=100, begun=100)
    slow_down(0.2)
    count_new_registrations()
    workers = [
        start_worker(celery=(*network.on(host), *CELERY), database_url=database_url, broker_url=broker_url)
        for host in range(2)
    ]
    reset = scene.request()
    until(lambda: settled(reset) > LEARNERS / 10)
    # When one loses its network while it holds locks, then the other one does the rest
    network.cut(0)
    assert settled(reset) < LEARNERS / 2, "it was too quick to be disturbed"
    began = time.monotonic()
    until(lambda: report_of(reset)["done"], LONGEST)
    seconds = time.monotonic() - began
    with capsys.disabled():
        print(f"\ndone {seconds:.0f} s after one host was lost")  # noqa: T201
    assert rows("SELECT count(*), count(DISTINCT enrolment_id) FROM new_registration") == [(LEARNERS, LEARNERS)]
    assert report_of(reset)["progress"]["cleared"] == LEARNERS
    assert set(records_of(scene.course).values()) == {0}
    wanted = {user.id for user in scene.users() if user.notifications_on}
    assert alerts(reset) == dict.fromkeys(wanted, ("sent", None))
    # When it is back and the other one is lost, then it works
    network.mend(0)
    network.cut(1)
    run("DROP FUNCTION dawdle CASCADE")  # it has been slow for long enough
    again = scene.request(course=OTHER_COURSE)
    until(lambda: report_of(again)["done"], LONGEST)
    assert report_of(again)["progress"]["cleared"] == LEARNERS
    network.mend(1)
    assert all(worker.process.poll() is None for worker in workers)
