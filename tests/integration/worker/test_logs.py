"""The logs of a real worker: JSON lines with names that can be searched for, and nothing personal."""

import json
import re
from collections.abc import Callable

from tasks.app import app
from tests.scenes import fail_for, make_scene, report_of
from tests.workers import Worker, until

NAME = re.compile(r"[a-z]+(_[a-z]+)*")


def test_every_line_has_a_fixed_name_and_every_line_about_a_reset_its_id(start_worker: Callable[..., Worker]) -> None:
    # Given a reset in which a learner fails, so that all sorts of lines are written
    worker = start_worker()
    scene = make_scene(learners=12, completed=100)
    bad = scene.enrolments()[3]
    fail_for(bad)
    reset = scene.request()
    until(app.AsyncResult(str(reset)).ready)
    until(lambda: report_of(reset)["done"])
    worker.stop()
    # Then each line is an object with a name that holds nothing variable
    written = [line for line in worker.log.read_text().splitlines() if line.startswith("{")]
    lines = [json.loads(line) for line in written]
    assert all({"event", "level", "logger", "timestamp"} <= line.keys() for line in lines)
    assert [line["event"] for line in lines if not NAME.fullmatch(line["event"])] == []
    # … those of the job carry the reset, the task and its id, whoever wrote them
    about = [line for line in lines if str(reset) in json.dumps(line)]
    assert [line for line in about if line.get("reset") != str(reset)] == []
    assert {line["event"] for line in about} >= {
        "task_received", "task_succeeded", "task_ended", "slice_failed", "learner_failed", "reset_settled",
        "alerts_settled",
    }  # fmt: skip
    failed = [line for line in about if line["event"] == "learner_failed"]
    assert [(line["enrolment"], line["task"]) for line in failed] == [(bad.id, "recourse.clear_learners")]
    assert {line["task_id"] for line in about if line["event"] == "reset_settled"} == {str(reset)}
    # … what came of one task is not said of the next
    assert not any("reset" in line for line in lines if line.get("task") == "recourse.recover")
    # … and nobody is named
    everything = "\n".join(written)
    assert not [user for user in scene.users() if user.email in everything or user.name in everything]
