"""What an operator sees in Flower, from real Flower beside a real worker."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import Error as PlaywrightError

from config.links import flower_row, reset_link
from tasks.app import app
from tests.conftest import PROJECT
from tests.flowers import PASSWORD, USER, Flower
from tests.scenes import COURSE, Scene, ask, fail_for, make_scene, report_of, run, slow_down, state_of
from tests.workers import Worker, until

PROGRESS = re.compile(r"([\d,]+) of 2,000 learners$")


@pytest.fixture
def flower(database: str, tmp_path: Path) -> Iterator[Flower]:
    flower = Flower(PROJECT, tmp_path, flower_max_tasks=500)
    flower.start()
    yield flower
    flower.stop()


def watched(flower: Flower, reset: UUID) -> list[dict[str, Any]]:
    """Returns the successive states of the reset's row until it has ended."""
    seen: list[dict[str, Any]] = []
    end = time.monotonic() + 60
    while not seen or seen[-1]["state"] not in ("SUCCESS", "FAILURE"):
        assert time.monotonic() < end, seen[-3:]
        look = flower.task(reset)
        if look and (not seen or any(look[name] != seen[-1][name] for name in ("state", "result"))):
            seen.append(look)
        time.sleep(0.02)
    return seen


def settled_at(reset: UUID) -> float:
    return float(ask("SELECT extract(epoch FROM finished_at) FROM reset WHERE id = :id", id=reset))


def test_one_row_shows_a_reset_from_its_progress_to_success(
    flower: Flower, start_worker: Callable[..., Worker], set_up: Callable[..., None]
) -> None:
    # Given a course of 2,000 learners, with slow slices
    set_up(public_url="https://training.example")
    scene = make_scene(learners=2000)
    slow_down(0.2)
    start_worker()
    until(flower.sees_a_worker)
    # When it is reset
    reset = scene.request()
    seen = watched(flower, reset)
    # Then one row shows the task, the course and the progress
    assert {row["name"] for row in seen} == {"recourse.reset_course"}
    assert {row["kwargs"] for row in seen} == {str({"course": COURSE, "reset": str(reset)})}
    assert {row["worker"].partition("@")[0] for row in seen if row["worker"]} == {"worker-0"}
    assert seen[-1]["args"] == f"https://training.example/resets/{reset}", "the way back to the reset's page"
    states = [row["state"] for row in seen]
    assert states[-1] == "SUCCESS"
    assert set(states) <= {"PENDING", "RECEIVED", "STARTED", "PROGRESS", "SUCCESS"}
    # … which counts up in several steps
    shown = [PROGRESS.fullmatch(row["result"]) for row in seen if row["state"] == "PROGRESS" and row["result"]]
    counts = [int(words[1].replace(",", "")) for words in shown if words]
    assert len(counts) == len(shown) > 2
    assert all(before < after for before, after in pairwise(counts))
    # … SUCCESS only once the reset is settled, with its outcome
    assert settled_at(reset) <= seen[-1]["succeeded"]
    assert "2,000 learners" in seen[-1]["result"]
    assert flower.task(reset)["state"] == "SUCCESS"
    # … and it is the coordinator's only row, with the slices and their learners below it
    until(lambda: report_of(reset)["done"])
    until(lambda: flower.tasks(taskname="recourse.notify", state="SUCCESS"))
    assert set(flower.tasks(taskname="recourse.reset_course")) == {str(reset)}
    assert_is_a_tree(flower, reset, slices=8, learners=250)
    assert_nothing_personal(flower, scene, reset)
    # … and metrics count it, without ids in labels
    metrics = flower.get("/metrics", signed_in=False).text
    succeeded = r'flower_events_total\{task="recourse.reset_course",type="task-succeeded",worker="[^"]+"\} (.+)'
    assert re.search(succeeded, metrics)
    assert str(reset) not in metrics


def assert_is_a_tree(flower: Flower, reset: UUID, *, slices: int, learners: int) -> None:
    """Check that of all tasks with this root, only the reset has no parent, and every task descends from it."""
    tasks = flower.tasks()
    tree = {task_id: task for task_id, task in tasks.items() if task["root_id"] == str(reset) or task_id == str(reset)}
    assert {task_id: task["parent_id"] for task_id, task in tree.items()} == {
        str(reset): None,
        **{f"{reset}.{number}": str(reset) for number in range(1, slices + 1)},
        f"{reset}.notify": str(reset),
        f"{reset}.notify-2": str(reset),
    }
    ranges = {f"{first}-{first + learners - 1}" for first in range(1, slices * learners, learners)}
    found = flower.tasks(search=f"kwargs:reset={reset}", taskname="recourse.clear_learners")
    assert {task["kwargs"] for task in found.values()} == {
        str({"learners": place, "reset": str(reset)}) for place in ranges
    }
    assert set(flower.task(reset)["children"]) == set(tree) - {str(reset)}


def assert_nothing_personal(flower: Flower, scene: Scene, reset: UUID) -> None:
    everything = flower.get("/api/tasks").text + flower.get(f"/task/{reset}").text + flower.get("/metrics").text
    for user in scene.users()[:200]:
        assert user.email not in everything
        assert user.name not in everything
    assert "@acme.example" not in everything


def test_a_failed_reset_and_its_subtasks_are_found_by_id_after_a_restart_of_flower(
    flower: Flower, start_worker: Callable[..., Worker]
) -> None:
    # Given a reset in which one learner will fail
    scene = make_scene(learners=60)
    slow_down(0.5)  # a restart of Flower takes its time on a busy machine
    fail_for(scene.enrolments()[-1])
    start_worker()
    until(flower.sees_a_worker)
    reset = scene.request()
    until(lambda: flower.task(reset).get("state") == "PROGRESS")
    # When Flower restarts during the reset
    flower.stop()
    assert state_of(reset) == "running"
    flower.start()
    assert state_of(reset) == "running"
    before = flower.task(reset)
    assert (before["name"], before["state"]) == ("recourse.reset_course", "PROGRESS"), "it remembers"
    # Then it shows the end of the reset: a failure because of one learner
    seen = watched(flower, reset)
    assert seen[-1]["state"] == "FAILURE"
    assert settled_at(reset) <= seen[-1]["failed"]
    assert "1 of 60 learners were not reset" in seen[-1]["exception"]
    assert f"recourse show {reset}" in seen[-1]["exception"]
    assert report_of(reset)["progress"]["failed"] == 1
    # And after another restart, the reset is still found, with the subtasks that Flower has seen
    flower.stop()
    flower.start()
    found = flower.tasks(search=f"kwargs:reset={reset}")
    assert found[str(reset)]["state"] == "FAILURE"
    assert sum(task["name"] == "recourse.clear_learners" for task in found.values()) > 10


def test_flower_shows_how_each_reset_ended_also_after_a_restart(
    flower: Flower, start_worker: Callable[..., Worker]
) -> None:
    # Given five resets, each with another result
    scenes = {name: make_scene(name, learners=60) for name in ("succeeds", "fails-partly", "fails", "early")}
    scenes["stops"] = make_scene("stops", learners=2000)
    resets: dict[str, UUID] = {}
    start_worker()
    until(flower.sees_a_worker)
    # … one of which is cancelled before it begins
    resets["early"] = scenes["early"].request(start_at=datetime.now(UTC) + timedelta(days=1))
    scenes["early"].cancel(resets["early"])
    # … three that end with no, some or all learners failed
    for enrolment in scenes["fails-partly"].enrolments()[:3]:
        fail_for(enrolment)
    fail_for_all(scenes["fails"])
    for name in ("succeeds", "fails-partly", "fails"):
        resets[name] = scenes[name].request()
        until(lambda reset=resets[name]: state_of(reset) not in ("requested", "running"), 60)
    # … and one that is cancelled while Flower shows its progress
    slow_down(1)
    resets["stops"] = scenes["stops"].request()
    until(lambda: PROGRESS_OF_2000.match(flower.task(resets["stops"]).get("result") or ""))
    scenes["stops"].cancel(resets["stops"])
    until(lambda: state_of(resets["stops"]) == "cancelled")
    stopped = report_of(resets["stops"])["progress"]
    assert 0 < stopped["skipped"] < 2000
    # Then each is shown with its result and its numbers
    ends = {
        "succeeds": ("SUCCESS", r".*60 learners.*"),
        "fails-partly": ("FAILURE", r"60 of 60 learners · 3 failed"),
        "fails": ("FAILURE", r"60 of 60 learners · 60 failed"),
        "stops": (
            "REVOKED",
            (
                f"cancelled: {stopped['cleared']:,} of 2,000 learners reset, "
                f"{stopped['unchanged']:,} had nothing to reset, {stopped['skipped']:,} skipped"
            ),
        ),
        "early": ("REVOKED", r"cancelled: No one was reset"),
    }

    def shown() -> dict[str, tuple[str, str | None]]:
        rows = {name: flower.task(reset) for name, reset in resets.items()}
        return {name: (row.get("state", ""), row.get("result")) for name, row in rows.items()}

    def as_they_ended() -> bool:
        now = shown()
        return all(
            now[name][0] == state and re.fullmatch(words, now[name][1] or "") for name, (state, words) in ends.items()
        )

    end = time.monotonic() + 15
    while not as_they_ended():
        assert time.monotonic() < end, shown()
        time.sleep(0.2)
    # … and a repeated message changes nothing
    for reset in resets.values():
        app.send_task("recourse.reset_course", kwargs={"reset_id": str(reset)}, task_id=str(reset), queue="bulk")
    settled = "SELECT count(*) FROM celery_taskmeta WHERE task_id = :id AND status <> 'PENDING'"
    time.sleep(3)
    assert all(ask(settled, id=str(reset)) == 1 for reset in resets.values())
    assert as_they_ended(), shown()
    # … nor does a restart
    flower.stop()
    flower.start()
    assert as_they_ended(), shown()


PROGRESS_OF_2000 = re.compile(r"[1-9][\d,]* of 2,000 learners$")


def fail_for_all(scene: Scene) -> None:
    """Make the database refuse new registrations in the course."""
    fail_for(scene.enrolments()[0])
    run(
        f"CREATE TRIGGER refuse_all BEFORE UPDATE ON enrolment FOR EACH ROW "
        f"WHEN (old.course_id = {scene.course.id}) EXECUTE FUNCTION refuse()"
    )


def test_flower_requires_a_sign_in_is_read_only_and_limits_its_memory(flower: Flower, database: str) -> None:
    # Without a sign-in, only health and metrics are shown
    for path in ("/", "/tasks", "/broker", "/api/tasks", "/api/workers", "/api/task/types", "/task/x"):
        assert flower.get(path, signed_in=False).status_code == 401, path
    assert flower.get("/healthcheck", signed_in=False).status_code == 200
    # Even the operator cannot start, stop or revoke anything
    for path in (
        "/api/task/apply/recourse.recover", "/api/task/async-apply/recourse.recover",
        "/api/task/send-task/recourse.recover", "/api/task/revoke/x?terminate=true", "/api/task/abort/x",
        "/api/worker/shutdown/x", "/api/worker/pool/shrink/x", "/api/worker/queue/cancel-consumer/x?queue=bulk",
    ):  # fmt: skip
        assert flower.post(path).status_code == 403, path
    # And it keeps only the newest tasks, also after a restart
    most = 500
    with app.events.default_dispatcher() as dispatcher:
        for number in range(most + 300):
            dispatcher.send("task-received", uuid=f"task-{number}", name="recourse.clear_learners", kwargs="{}")
    last = f"task-{most + 299}"
    until(lambda: flower.task(last))
    assert len(flower.tasks()) == most
    flower.stop(signal.SIGTERM)
    flower.start()
    assert len(flower.tasks()) == most
    assert flower.task(last)
    assert not flower.task("task-0")


def test_an_operator_watches_a_reset_in_the_browser_and_finds_it_again(
    flower: Flower, chromium: Browser, start_worker: Callable[..., Worker], set_up: Callable[..., None]
) -> None:
    set_up(public_url="https://training.example", flower_url=flower.url)
    scene = make_scene(learners=2000)
    slow_down(0.25)
    start_worker()
    until(flower.sees_a_worker)
    # Given no password, nothing is shown
    with pytest.raises(PlaywrightError, match="ERR_INVALID_AUTH_CREDENTIALS"):
        chromium.new_page().goto(f"{flower.url}/tasks")
    # When an operator signs in, and follows the link to the reset's row
    context = chromium.new_context(
        http_credentials={"username": USER, "password": PASSWORD}, viewport={"width": 1150, "height": 800}
    )
    page = context.new_page()
    reset = scene.request()
    until(lambda: flower.task(reset).get("state") == "PROGRESS")
    page.goto(str(flower_row(reset)))
    expect(page.locator(".badge")).to_have_text("PROGRESS")
    details = page.locator(".detail-list")
    expect(details).to_contain_text(re.compile(r"[\d,]+ of 2,000 learners"))
    expect(details).to_contain_text(COURSE)
    expect(details).to_contain_text(str(reset_link(reset)))
    # Then the list of tasks shows it as one row
    page.goto(f"{flower.url}/tasks?name=recourse.reset_course")
    row = page.locator("#tasks-table tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text(str(reset))
    expect(row).to_contain_text(re.compile(r"PROGRESS.*of 2,000 learners|SUCCESS"))
    picture(page, "flower-reset-in-progress", height=350)
    # … which ends with success
    until(lambda: flower.task(reset).get("state") == "SUCCESS")
    page.reload()
    expect(row).to_contain_text("SUCCESS")
    # And after Flower has restarted, the links lead to it and to all its subtasks
    flower.stop()
    flower.start()
    page.goto(str(flower_row(reset)))
    expect(page.locator(".badge")).to_have_text("SUCCESS")
    expect(details).to_contain_text("2,000 learners")
    picture(page, "flower-reset-succeeded", height=600)
    until(lambda: report_of(reset)["done"])
    page.goto(f"{flower.url}/tasks?name=recourse.%20kwargs%3Areset%3D{reset}")  # as in the guide
    expect(page.locator(".dataTables_info")).to_contain_text(re.compile(r"of 1[012] tasks"))
    expect(page.locator("#tasks-table tbody")).to_contain_text("1751-2000")
    picture(page, "flower-tasks-of-a-reset", height=500)
    context.close()


def picture(page: Page, name: str, *, height: int) -> None:
    """For the guide: `RECOURSE_TEST_PICTURES=docs/how-to pytest …` takes new pictures."""
    if folder := os.environ.get("RECOURSE_TEST_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png", clip={"x": 0, "y": 60, "width": 1150, "height": height})
