"""`recourse up` while its parts, or it itself, are killed."""

import json
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cli.local import remove
from tests.ups import Up, within
from tests.workers import until

COURSE = "SAFETY-101"
CONFIRMED = ("--reason", "recertification", "--confirm", COURSE, "--watch", "--json")


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's tmp_path: the user who runs root's servers may not enter it.
    folder = Path(tempfile.mkdtemp(prefix="recourse-up-"))
    folder.chmod(0o755)
    yield folder
    if (folder / "home" / "in-use.lock").exists():
        remove(folder / "home")
    shutil.rmtree(folder)


@pytest.fixture
def up(folder: Path) -> Iterator[Up]:
    running = Up(folder)
    try:
        running.start()
        yield running
    finally:
        running.stop(signal.SIGINT)
        print(running.words())  # noqa: T201 - pytest shows it when the test failed


def restarted(up: Up, part: str) -> bool:
    """Kill the part. Returns whether it was restarted, and that was printed."""
    before = up.pid(part)
    assert before
    os.kill(before, signal.SIGKILL)
    came = within(40, lambda: up.pid(part) not in (None, before))
    return came and within(40, lambda: f"{part} is up again" in up.words().replace("\n", " "))


@pytest.mark.timeout(400)
def test_each_killed_part_is_restarted_and_resets_succeed(up: Up, subtests: pytest.Subtests) -> None:
    for part in ("PostgreSQL", "Redis", "worker", "interactive worker", "beat", "web app", "Flower"):
        with subtests.test(part=part):
            assert restarted(up, part), up.words()
            (line,) = [line for line in up.words().splitlines() if f"{part} was killed (SIGKILL)" in line]
            assert line[2] == line[5] == ":", "the line starts with the time"
            assert "Restarting it" in line
    with subtests.test("everything works again"):
        assert up.answers(up.web, "/readyz")
        done = up("reset", COURSE, *CONFIRMED)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["state"] == "succeeded"
        assert "No worker is running" not in done.stderr
        until(lambda: up.answers(up.flower, "/healthcheck"))
        found = up.findings()
        assert [part for part, finding in found.items() if not finding["ok"]] == [], found


@pytest.mark.timeout(300)
def test_other_commands_wait_for_a_killed_postgresql(up: Up, subtests: pytest.Subtests) -> None:
    with subtests.test("a command that starts just then"):
        os.kill(up.pid("PostgreSQL") or 0, signal.SIGKILL)
        done = up("analytics", "--json")
        assert done.returncode == 0, done.stderr
    with subtests.test("a command that watches a reset"):
        until(lambda: up.pid("PostgreSQL"))
        watching = up.beside("reset", COURSE, *CONFIRMED)
        until(lambda: up("resets", "--json").stdout.count('"id"') == 1)
        os.kill(up.pid("PostgreSQL") or 0, signal.SIGKILL)
        output, said = watching.communicate(timeout=120)
        assert watching.returncode == 0, said
        assert json.loads(output)["state"] == "succeeded"


@pytest.mark.timeout(300)
def test_flower_is_given_up_if_it_keeps_ending_and_the_rest_keeps_running(up: Up) -> None:
    os.kill(up.pid("Flower") or 0, signal.SIGKILL)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        until(lambda: _bound(taken, int(up.flower.rpartition(":")[2])))
        taken.listen()
        until(lambda: "Flower is given up" in up.words(), 120)
    (line,) = [line for line in up.words().splitlines() if "Flower is given up" in line]
    assert "it ended 5 times within" in line
    assert "flower.log" in line
    assert up.process is not None
    assert up.process.poll() is None
    assert up.answers(up.web, "/readyz")
    found = up.findings()
    assert [part for part, finding in found.items() if not finding["ok"]] == ["Flower"]
    assert "given up on it" in found["Flower"]["says"]


def _bound(listener: socket.socket, port: int) -> bool:
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


@pytest.mark.timeout(300)
def test_it_ends_with_a_sentence_if_postgresql_keeps_ending(up: Up) -> None:
    data = up.home / "postgres"
    with (data / "postgresql.auto.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")
    os.kill(up.pid("PostgreSQL") or 0, signal.SIGKILL)
    assert up.process is not None
    assert up.process.wait(120) == 1
    said = up.words()
    assert "Traceback" not in said
    assert said.count("Restarting it") >= 3
    assert "PostgreSQL is given up" in said
    assert "no_such_setting" in said
    assert up.processes() == []


@pytest.mark.timeout(300)
def test_a_second_up_in_the_folder_and_doctor_find_the_running_one(up: Up, subtests: pytest.Subtests) -> None:
    with subtests.test("a second up"):
        before = up.processes()
        second = up("up", limit=60)
        assert second.returncode == 0, second.stderr
        assert f"already up in {up.home}" in second.stdout
        assert up.web in second.stdout
        assert f"process {up.process.pid if up.process else ''}" in second.stdout
        assert up.processes() == before
    with subtests.test("doctor checks its addresses, not the usual ports"):
        found = up.findings()
        assert (found["web app"]["ok"], found["web app"]["says"]) == (True, up.web)
        assert (found["Flower"]["ok"], found["Flower"]["says"]) == (True, up.flower)
    with subtests.test("doctor ignores the addresses of a killed one"):
        up.stop(signal.SIGKILL)
        found = up.findings()
        assert found["web app"]["says"] == "it is not running"
        assert "recourse up" in found["web app"]["remedy"]
        until(lambda: up.processes() == [], 45)


@pytest.mark.timeout(300)
def test_the_children_of_a_killed_worker_end_even_if_up_is_killed_too(up: Up) -> None:
    worker = psutil.Process(up.pid("worker") or 0)
    children = worker.children(recursive=True)
    assert children
    worker.kill()
    _, alive = psutil.wait_procs(children, 10)
    assert alive == [], "children of a killed worker are still running"
    # Both the worker and the command are killed, so no process is left to end the children
    until(lambda: up.pid("worker") not in (None, worker.pid))
    until(lambda: "worker is up again" in up.words())
    worker = psutil.Process(up.pid("worker") or 0)
    children = worker.children(recursive=True)
    worker.suspend()  # so that it cannot end by itself when the command does
    assert up.process is not None
    up.process.kill()
    up.process.wait()
    worker.kill()
    _, alive = psutil.wait_procs(children, 10)
    assert alive == [], "children of a killed worker are still running"


@pytest.mark.timeout(300)
def test_the_next_up_ends_leftovers_of_a_killed_one(folder: Path) -> None:
    first = Up(folder)
    first.start()
    left = [psutil.Process(pid) for pid in first.processes()]
    web = psutil.Process(first.pid("web app") or 0)
    web.suspend()  # it hangs, so it cannot notice that the command is gone
    assert first.process is not None
    first.process.kill()
    first.process.wait()
    second = Up(folder)
    second.start()
    try:
        _, alive = psutil.wait_procs(left, 5)
        assert alive == []
        assert "left behind" in second.words()
    finally:
        assert second.stop(signal.SIGINT) == 0
    assert second.processes() == []
