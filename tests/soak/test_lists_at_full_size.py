"""A list of 100,000 learners from a file: planned in seconds, without statistics, in little memory."""

import io
import time
import tracemalloc

import pytest

from models.resets import Audience
from models.session import transaction
from tasks.imports import Form
from tasks.reset.impact import preview
from tasks.reset.lists import MOST_LINES, list_from_file
from tests.scenes import COURSE, ask, make_scene, run

WITHIN = 5.0  # seconds
WRONG = 1_000  # lines that name nobody


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_file_of_100_000_lines_is_planned_in_under_five_seconds(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = make_scene(learners=1)
    values = {"organization": scene.organization.id, "course": scene.course.id, "learners": MOST_LINES}
    run("SET session_replication_role = replica")
    run(
        """INSERT INTO "user" (organization_id, email, name, external_id)
           SELECT :organization, 'many-' || n || '@acme.example', 'Learner ' || n, 'p-' || n
           FROM generate_series(1, :learners) n""",
        **values,
    )
    run(
        """INSERT INTO enrolment (organization_id, user_id, course_id)
           SELECT organization_id, id, :course FROM "user" WHERE email LIKE 'many-%'""",
        **values,
    )
    numbers = range(1, MOST_LINES + 1 - WRONG)
    lines = [f"many-{n}@acme.example,,2031-03-31" if n % 2 else f",p-{n}," for n in numbers]
    lines += [f"nobody-{n}@acme.example,," for n in range(WRONG)]
    file = io.BytesIO("\n".join(["email,external_id,due_at", *lines]).encode())
    began = time.monotonic()
    with transaction() as session:
        made = list_from_file(session, scene.admin, COURSE, file, Form.CSV)
        read = time.monotonic() - began
        seen = preview(session, scene.admin, COURSE, about=True, audience=Audience.LIST, list_id=made.id)
    took = time.monotonic() - began
    file.seek(0)
    tracemalloc.start()  # which makes all of it slower, and so comes second
    with transaction() as session:
        list_from_file(session, scene.admin, COURSE, file, Form.CSV)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    with capsys.disabled():
        print(f"\nread in {read:.1f} s, planned in {took:.1f} s; {most / 1e6:.0f} MB at most")  # noqa: T201
    assert (made.lines, made.unknown, seen.learners) == (MOST_LINES, WRONG, MOST_LINES - WRONG)
    assert took < WITHIN
    assert most < 20_000_000
    assert ask("SELECT count(*) FROM audience_list_learner") == 2 * (MOST_LINES - WRONG)
