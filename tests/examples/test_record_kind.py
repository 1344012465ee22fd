"""`examples/record_kind`: a kind of a team's own, in the same database."""

import json
import os
import subprocess
import sys
from pathlib import Path

from models.session import forget_engine
from tests.scenes import ask, make_scene, run

PROJECT = Path(__file__).parents[2]
EXAMPLE = PROJECT / "examples" / "record_kind"

# Runs in a process that is started with the settings; this one has loaded the models without them.
JOB = """
import json
from uuid import UUID
from bookmarks import set_bookmark
from models.access import acting_user
from models.people import Organization
from models.refusals.training import StaleRegistration
from models.resets import Reset
from models.records import record_kinds
from models.session import transaction
from models.training import Enrolment
from sqlalchemy import select
from tests.post import Post
from tasks.reset.impact import preview
from tasks.reset.request import request_reset
from tasks.report import report

with transaction() as session:
    before = list(session.scalars(select(Enrolment.registration)))
    for registration in before:
        for page in (3, 7):
            set_bookmark(session, registration, page)
with transaction() as session:
    admin = acting_user(session, session.scalars(select(Organization)).one(), "admin@acme.example")
    planned = preview(session, admin, "FIRE-101")
    reset = request_reset(session, admin, plan=planned.token, confirm="FIRE-101", reason="yearly")
with Post() as post:
    post.drain()
refused = 0
for registration in before:
    try:
        with transaction() as session:
            set_bookmark(session, registration, 9)
    except StaleRegistration:
        refused += 1
with transaction() as session:
    print(json.dumps({
        "kinds": [kind.kind() for kind in record_kinds()],
        "preview": planned.removed["bookmark"],
        "report": report(session, session.get_one(Reset, reset.id)),
        "refused": refused,
    }))
"""


def test_it_is_previewed_cleared_reported_and_fenced(database: str) -> None:
    # Given two bookmarks of each learner in each of two courses
    scene = make_scene(learners=3, completed=0, begun=0)
    run((EXAMPLE / "migration.sql").read_text())
    forget_engine()
    # When a course is reset where the settings name the kind. `tests` itself takes settings out of the environment.
    settings = {name: value for name, value in os.environ.items() if name.startswith("RECOURSE_")}
    settings["RECOURSE_RECORD_KINDS"] = json.dumps(["bookmarks"])
    done = subprocess.run(
        [sys.executable, "-c", f"import os, tests\nos.environ.update({settings!r})\n" + JOB],
        cwd=PROJECT,
        env=os.environ | {"PYTHONPATH": f"{PROJECT}{os.pathsep}{EXAMPLE}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    # Then those of this course are counted and gone, and a learner who had nothing else was cleared and alerted
    assert said["kinds"][-1] == "bookmark"
    assert said["preview"] == said["report"]["removed"]["bookmark"] == 6
    progress = said["report"]["progress"]
    assert (progress["total"], progress["cleared"], said["report"]["notified"]) == (3, 3, 3)
    here = "SELECT count(*) FROM bookmark JOIN enrolment USING (registration) WHERE course_id = :id"
    assert (ask(here, id=scene.course.id), ask(here, id=scene.other_course.id)) == (0, 3 * 2 + 3)
    # And a player that was left open is refused: for the three learners who were reset
    assert said["refused"] == 3
