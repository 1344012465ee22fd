"""The logs of a real worker: JSON lines with searchable event names and no personal data."""

import json
import re
from collections.abc import Callable

from config.celery import NOTIFY, name_on_the_broker
from tasks.app import app
from tests.scenes import fail_for, make_scene, report_of
from tests.workers import Worker, until

NAME = re.compile(r"[a-z]+(_[a-z]+)*")


def test_every_line_has_a_fixed_name_and_every_line_about_a_reset_its_id(start_worker: Callable[..., Worker]) -> None:
    # Given a reset in which a learner fails, so that lines of every sort are written
    worker = start_worker()
    scene = make_scene(learners=12, completed=100)
    bad = scene.enrolments()[3]
    fail_for(bad)
    reset = scene.request()
    until(app.AsyncResult(str(reset)).ready)
    until(lambda: report_of(reset)["done"])
    worker.stop()
    # Then each line is a JSON object with a fixed event name
    written = [line for line in worker.log.read_text().splitlines() if line.startswith("{")]
    lines = [json.loads(line) for line in written]
    assert all({"event", "level", "logger", "timestamp"} <= line.keys() for line in lines)
    assert [line["event"] for line in lines if not NAME.fullmatch(line["event"])] == []
    # … the lines of the job carry the reset, the task and its id, whichever module wrote them
    about = [line for line in lines if str(reset) in json.dumps(line)]
    assert [line for line in about if line.get("reset") != str(reset)] == []
    assert {line["event"] for line in about} >= {
        "task_received", "task_succeeded", "task_ended", "slice_failed", "learner_failed", "reset_settled",
        "alerts_settled",
    }  # fmt: skip
    failed = [line for line in about if line["event"] == "learner_failed"]
    assert [(line["enrolment"], line["task"]) for line in failed] == [(bad.id, "recourse.clear_learners")]
    assert {line["task_id"] for line in about if line["event"] == "reset_settled"} == {str(reset)}
    # … a run's lines never carry the reset of the run before it; `recover` itself may name resets
    ticks = [line for line in lines if line.get("task") == "recourse.recover" and line["logger"] != "tasks.recover"]
    assert ticks
    assert not any("reset" in line for line in ticks)
    # … and there is no personal data
    everything = "\n".join(written)
    assert not [user for user in scene.users() if user.email in everything or user.name in everything]


def test_a_message_that_cannot_be_run_and_a_run_that_fails_are_logged_once(start_worker: Callable[..., Worker]) -> None:
    worker = start_worker()
    # Given a message of an unknown task, and one whose run fails
    queue = name_on_the_broker(NOTIFY)
    unknown = app.send_task("recourse.no_such_task", queue=queue).id
    failing = app.send_task("recourse.notify", kwargs={"reset_id": "no-uuid"}, queue=queue).id

    def lines_of(task_id: str) -> list[dict[str, str]]:
        lines = [json.loads(line) for line in worker.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("task_id") == task_id]

    # Then each has its event, with the ids
    until(lambda: [line["event"] for line in lines_of(unknown)] == ["task_unknown"])
    until(lambda: [line["event"] for line in lines_of(failing)] == ["task_received", "task_ended"])
    ended = lines_of(failing)[-1]
    assert (ended["level"], ended["task"], ended["reset"]) == ("error", "recourse.notify", "no-uuid")
    assert ended["description"] == "failed"
    assert "Traceback" in ended["exception"]
