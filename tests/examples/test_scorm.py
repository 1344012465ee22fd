"""`examples/scorm`: a SCORM package in Chromium, whose state is a record kind."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from models.session import forget_engine
from tests.flowers import free_port
from tests.scenes import ask, make_scene, run
from tests.workers import until

PROJECT = Path(__file__).parents[2]
EXAMPLE = PROJECT / "examples" / "scorm"

RESET = """
from models.access import acting_user
from models.people import Organization
from models.session import transaction
from sqlalchemy import select
from tests.post import Post
from tasks.reset.impact import preview
from tasks.reset.request import request_reset

with transaction() as session:
    admin = acting_user(session, session.scalars(select(Organization)).one(), "admin@acme.example")
    planned = preview(session, admin, "FIRE-101")
    request_reset(session, admin, plan=planned.token, confirm="FIRE-101", reason="yearly")
with Post() as post:
    post.drain()
"""


def environment() -> dict[str, str]:
    return os.environ | {
        "RECOURSE_RECORD_KINDS": json.dumps(["scorm_state"]),
        "PYTHONPATH": f"{PROJECT}{os.pathsep}{EXAMPLE}",
    }


@pytest.fixture
def player(database: str, tmp_path: Path) -> Iterator[str]:
    """The player as a process of its own, on the test's database."""
    run((EXAMPLE / "migration.sql").read_text())
    forget_engine()
    port = free_port()
    command = [sys.executable, "-m", "flask", "--app", "player", "run", "--port", str(port)]
    with (tmp_path / "player.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=EXAMPLE, env=environment(), stdout=log, stderr=log)

    def answers() -> bool:
        assert process.poll() is None, (tmp_path / "player.log").read_text()
        try:
            return httpx.get(f"http://127.0.0.1:{port}/package/index.html").status_code == 200
        except httpx.TransportError:
            return False

    try:
        until(answers, 30)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def next_page(tab: Page) -> None:
    tab.frame_locator("#course").get_by_role("button", name="Next page").click()


def expect_page(tab: Page, number: int) -> None:
    expect(tab.frame_locator("#course").locator("#page")).to_contain_text(f"Page {number} of 4")


def test_a_tab_left_open_over_a_reset_is_refused_and_a_fresh_one_starts_at_the_beginning(
    player: str, chromium: Browser
) -> None:
    scene = make_scene(learners=2, completed=0, begun=0)
    [learner, _] = scene.users()
    registration = scene.enrolments()[0].registration
    stored = "SELECT cmi->'core'->>'lesson_location' FROM scorm_state WHERE registration = :registration"
    tab = chromium.new_page()
    tab.goto(f"{player}/play/FIRE-101/{learner.email}")
    expect_page(tab, 1)
    next_page(tab)
    next_page(tab)
    expect_page(tab, 3)
    until(lambda: ask(stored, registration=registration) == "2", 10)
    # Another tab goes on where this one is
    other = chromium.new_page()
    other.goto(f"{player}/play/FIRE-101/{learner.email}")
    expect_page(other, 3)
    # When the course is reset, the open tab is refused and says so
    settings = {name: value for name, value in environment().items() if name.startswith("RECOURSE_")}
    code = f"import os, tests\nos.environ.update({settings!r})\n" + RESET
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, env=environment(), check=True, timeout=60)
    expect(tab.locator("#over")).to_be_hidden()
    next_page(tab)
    expect(tab.locator("#over")).to_be_visible()
    assert ask("SELECT count(*) FROM scorm_state") == 0
    # And a fresh one starts at the beginning, is saved, and completes the course
    tab.get_by_role("link", name="Start it again").click()
    expect_page(tab, 1)
    assert ask("SELECT progress FROM enrolment WHERE id = :id", id=scene.enrolments()[0].id) == 0
    for page in (2, 3, 4):
        next_page(tab)
        expect_page(tab, page)
    new = scene.enrolments()[0]
    until(lambda: ask(stored, registration=new.registration) == "3", 10)
    assert ask("SELECT state FROM enrolment WHERE id = :id", id=new.id) == "completed"
    tab.close()
    other.close()
