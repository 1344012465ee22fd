"""A roll-out: the last release's code works on the new tables, beside the new code, for as long as that takes."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.databases import recourse_on
from tests.flowers import free_port
from tests.releases import last_release
from tests.scenes import (
    COURSE,
    OTHER_COURSE,
    Scene,
    alerts,
    ask,
    count_new_registrations,
    make_scene,
    report_of,
    rows,
    slow_down,
)
from tests.workers import Worker, until

LEARNERS = 2000
REQUEST = f"""
import tasks
from sqlalchemy import select
from models.access import acting_user
from models.people import Organization
from models.session import transaction
from tasks.reset.impact import preview
from tasks.reset.request import request_reset

with transaction() as session:
    admin = acting_user(session, session.scalars(select(Organization)).one(), "admin@acme.example")
    planned = preview(session, admin, "{OTHER_COURSE}")
    request_reset(session, admin, plan=planned.token, confirm="{OTHER_COURSE}", reason="yearly")
print(tasks.__file__)
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return last_release(tmp_path / "last-release")


def cleared(worker: Worker) -> int:
    """Returns how many slices the worker has cleared."""
    log = worker.log.read_text(errors="replace").splitlines()
    return sum('"task_succeeded"' in line and "recourse.clear_learners" in line for line in log)


def settled() -> int:
    return int(ask("SELECT count(*) FROM new_registration"))


def assert_done_once(scene: Scene) -> None:
    """Both courses were reset once, and the learners alerted once about each."""
    for reset, state in rows("SELECT id, state FROM reset ORDER BY requested_at"):
        assert state == "succeeded"
        until(lambda reset=reset: report_of(reset)["done"])
        assert report_of(reset)["progress"]["cleared"] == LEARNERS
        wanted = {user.id for user in scene.users() if user.notifications_on}
        assert alerts(reset) == dict.fromkeys(wanted, ("sent", None))
    assert rows("SELECT count(*), count(DISTINCT enrolment_id) FROM new_registration") == [(2 * LEARNERS, 2 * LEARNERS)]
    until(lambda: ask("SELECT count(*) FROM celery_taskmeta WHERE status = 'SUCCESS'") == 2)


def test_the_last_release_works_on_the_new_tables_beside_this_one(
    old: Path, database: str, start_worker: Callable[..., Worker]
) -> None:
    # Given new tables and only workers of the last release
    scene = make_scene(learners=LEARNERS, completed=100, begun=100)
    slow_down(0.3)  # long enough for another worker to start on a busy machine
    count_new_registrations()
    before = start_worker(project=old)
    # When this release requests a reset, then they do it
    scene.request()
    until(lambda: cleared(before) > 0)
    assert settled() < LEARNERS
    # When a worker of this release comes, and the last one requests another reset, then both do both
    after = start_worker()
    asked = subprocess.run([sys.executable, "-c", REQUEST], cwd=old, capture_output=True, text=True, check=False)
    assert asked.stdout.splitlines()[-1:] == [str(old / "tasks" / "__init__.py")], asked.stderr
    so_far = cleared(before)
    until(lambda: cleared(after) > 0 and cleared(before) > so_far)
    # When the old worker stops, as a roll-out has it, then this release does the rest, and all was done once
    before.ask_to_stop()
    until(lambda: rows("SELECT DISTINCT state FROM reset") == [("succeeded",)], 60)
    assert_done_once(scene)
    assert '"level": "error"' not in after.log.read_text(), after.last_lines()
    # The older release discards probes, a task that it does not know, and says so; nothing else troubles it
    errors = [line for line in before.log.read_text().splitlines() if '"level": "error"' in line]
    assert [line for line in errors if "recourse.probe" not in line] == []


def test_the_last_releases_web_app_serves_the_new_tables(old: Path, database: str, tmp_path: Path) -> None:
    make_scene()
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "web.app:app", f"--port={port}"]
    with (tmp_path / "web.log").open("wb") as log:
        web = subprocess.Popen(command, cwd=old, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def answers() -> bool:
        assert web.poll() is None, (tmp_path / "web.log").read_text()
        try:
            return httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
        except httpx.TransportError:
            return False

    try:
        until(answers)
        for path in ("/readyz", "/metrics", "/sign-in"):
            answer = httpx.get(f"http://127.0.0.1:{port}{path}")
            assert answer.status_code == 200, (path, answer.text)
    finally:
        web.terminate()
        web.wait(20)


def test_this_release_works_on_the_tables_of_a_later_one(database: str) -> None:
    # Given tables that a later release has migrated
    make_scene()
    ask("WITH later AS (UPDATE recourse_version SET version_num = '9999' RETURNING 1) SELECT count(*) FROM later")
    # Then commands work, doctor says so, and nothing is migrated
    assert COURSE in recourse_on(database, "preview", COURSE).stdout
    checked = recourse_on(database, "doctor", "--part", "migrations")
    assert "at 9999, of a later release; this program has" in checked.stdout
    done = recourse_on(database, "database", "upgrade")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("A later release has migrated the database to 9999.")
