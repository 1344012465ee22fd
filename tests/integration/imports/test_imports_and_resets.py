"""An import and a reset of the same learners at once: neither waits in a circle, and the reset stays."""

import io
import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from models.access import console_operator
from models.refusals.resets import PlanOutdated
from models.session import transaction
from tasks.imports import IMPORTS, Form, Imported
from tests.post import Post
from tests.scenes import COURSE, Scene, ask, ledger, make_scene, run, state_of
from tests.workers import until

PAST = datetime(2026, 1, 10, 9, tzinfo=UTC)


@pytest.fixture
def scene(database: str) -> Scene:
    return make_scene(learners=600, completed=0, begun=0)


def file_of(scene: Scene, at: datetime = PAST, *, backwards: bool = False) -> bytes:
    lines = [f"{COURSE},{user.email},{at.isoformat()},90\n" for user in scene.users()]
    return ("course,email,completed_at,score\n" + "".join(lines[::-1] if backwards else lines)).encode()


def imported(scene: Scene, content: bytes) -> Imported:
    with transaction() as session:
        return IMPORTS["enrolments"](session, console_operator(scene.organization), io.BytesIO(content), Form.CSV)


def waiting() -> int:
    """Returns how many sessions wait for a lock of another one."""
    return int(
        ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
    )


def completed() -> int:
    return int(ask("SELECT count(*) FROM enrolment WHERE state = 'completed'"))


def test_an_import_that_waited_for_a_reset_does_not_undo_it(scene: Scene, post: Post) -> None:
    """The import has decided by the rows before the reset when it comes to their locks."""
    first = scene.enrolments()[0]
    found: list[Imported] = []
    worker = threading.Thread(target=lambda: found.append(imported(scene, file_of(scene))))
    with transaction() as session:
        # As a slice does: lock, then end the registration
        session.execute(text("SELECT id FROM enrolment WHERE id = :id FOR UPDATE"), {"id": first.id})
        worker.start()
        until(lambda: waiting() == 1, 30)
        session.execute(
            text("UPDATE enrolment SET registration = uuidv7(), reset_at = clock_timestamp() WHERE id = :id"),
            {"id": first.id},
        )
    worker.join()
    assert found[0].counts["completions"].new == 599
    assert found[0].ignored == {"completions_before_reset": 1}
    assert ask("SELECT state FROM enrolment WHERE id = :id", id=first.id) == "assigned"
    assert ask("SELECT count(*) FROM completion") == completed() == 599


def test_a_reset_that_waited_for_an_import_clears_what_it_wrote(scene: Scene, post: Post) -> None:
    reset = scene.request(audience="users", users=[user.id for user in scene.users()[:40]])
    with transaction() as session:
        actor = console_operator(scene.organization)
        IMPORTS["enrolments"](session, actor, io.BytesIO(file_of(scene)), Form.CSV)
        thread = threading.Thread(target=post.drain)
        thread.start()
        until(lambda: waiting() >= 1, 30)
    thread.join()
    assert state_of(reset) == "succeeded"
    assert {state for state, _ in ledger(reset).values()} == {"cleared"}
    assert ask("SELECT count(*) FROM completion") == completed() == 560


def requested(scene: Scene) -> UUID:
    """Request a reset, again if completions came since its preview."""
    while True:
        try:
            return scene.request()
        except PlanOutdated:
            continue


def test_imports_and_resets_side_by_side_never_deadlock(scene: Scene, post: Post) -> None:
    """Both go over the same learners, again and again, the files in both directions."""
    over = threading.Event()
    failed: list[BaseException] = []

    def keep_importing(*, backwards: bool) -> None:
        at = PAST
        while not over.is_set():
            at += timedelta(minutes=1)
            try:
                imported(scene, file_of(scene, at, backwards=backwards))
            except BaseException as error:
                failed.append(error)
                return

    run("ALTER DATABASE recourse SET deadlock_timeout = '50ms'")
    threads = [threading.Thread(target=keep_importing, kwargs={"backwards": one}) for one in (False, True)]
    for thread in threads:
        thread.start()
    resets = []
    for _ in range(4):
        resets.append(requested(scene))
        post.drain()
    over.set()
    for thread in threads:
        thread.join()
    assert failed == []
    for reset in resets:
        assert state_of(reset) == "succeeded"
        assert {reason for _, reason in ledger(reset).values()} <= {None}
    # Each learner was reset, and no file brought their completion of the past back
    assert ask("SELECT count(*) FROM enrolment WHERE course_id = :id AND reset_at IS NULL", id=scene.course.id) == 0
    assert completed() == ask("SELECT count(*) FROM completion") == 0
    assert ask("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
