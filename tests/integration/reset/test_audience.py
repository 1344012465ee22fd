"""The learners of a reset are those its preview could see, whatever the clock says."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from models.groups import group_by_code
from models.learning import complete
from models.session import transaction
from tasks.imports.enrolments import import_enrolments
from tasks.imports.lines import Form
from tasks.people.groups import add_members
from tests.post import Post
from tests.rules import group
from tests.scenes import COURSE, Scene, ask, ledger, make_scene, report_of, rows, run

NEW = "SELECT id FROM enrolment WHERE user_id = (SELECT max(id) FROM \"user\" WHERE email LIKE 'learner-%')"


@contextmanager
def another_transaction() -> Iterator[Session]:
    """A transaction that begins now and commits at the end of the scope."""
    with transaction() as session:
        session.execute(text("SELECT 1"))
        yield session


def without_the_last(scene: Scene) -> str:
    """Remove the last learner's enrolment. Returns their address."""
    last = scene.users()[-1]
    run("DELETE FROM enrolment WHERE user_id = :id", id=last.id)
    return str(last.email)


def import_lines(session: Session, scene: Scene, *lines: str) -> None:
    file = "\n".join(["course,email,assigned", *lines])
    import_enrolments(session, scene.admin, BytesIO(file.encode()), Form.CSV)


def reset_learners(post: Post, reset: Any) -> set[int]:
    post.drain()
    assert report_of(reset)["progress"]["total"] == len(ledger(reset))
    return set(ledger(reset))


def test_learners_assigned_by_an_import_during_the_preview_are_not_reset(post: Post) -> None:
    # Given six learners, one of them in the open transaction of an import
    scene = make_scene(learners=6, completed=0, begun=0)
    late = without_the_last(scene)
    with another_transaction() as importing:
        import_lines(importing, scene, f"{COURSE},{late},true")
        # When a reset is previewed, and confirmed after the import commits
        seen = scene.preview()
    assert len(scene.enrolments()) == 6
    reset = scene.request(seen)
    # Then the ledger has the learners of the preview
    assert seen.learners == 5
    assert len(reset_learners(post, reset)) == 5
    # … and the next one has all six
    assert scene.preview().learners == 6


def test_an_import_with_backdated_assignments_is_no_exception(post: Post) -> None:
    scene = make_scene(learners=6, completed=0, begun=0)
    without_the_last(scene)
    with another_transaction() as importing:
        importing.execute(
            text(
                """INSERT INTO enrolment (organization_id, user_id, course_id, assigned_at)
                   SELECT organization_id, max(id), :course, '2013-01-01' FROM "user" WHERE email LIKE 'learner-%'
                   GROUP BY organization_id"""
            ),
            {"course": scene.course.id},
        )
        seen = scene.preview()
    reset = scene.request(seen)
    assert (seen.learners, len(reset_learners(post, reset))) == (5, 5)


def test_a_learner_whose_reassignment_is_not_committed_is_not_reset(post: Post) -> None:
    scene = make_scene(learners=6, completed=0, begun=0)
    back = scene.users()[0]
    run("UPDATE enrolment SET unassigned_at = now() WHERE user_id = :id", id=back.id)
    with another_transaction() as importing:
        import_lines(importing, scene, f"{COURSE},{back.email},true")
        seen = scene.preview()
    reset = scene.request(seen)
    assert (seen.learners, len(reset_learners(post, reset))) == (5, 5)
    assert scene.preview().learners == 6


def test_a_learner_whose_completion_is_not_committed_has_not_completed(post: Post) -> None:
    scene = make_scene(learners=6, completed=0, begun=0)
    first, second, *_ = scene.enrolments()
    with transaction() as session:
        complete(session, first.registration)
    with another_transaction() as learning:
        complete(learning, second.registration)
        seen = scene.preview(audience="completed")
        everyone = scene.preview()
    reset = scene.request(seen)
    assert seen.learners == 1
    assert reset_learners(post, reset) == {first.id}
    # … but is in the audience of everyone
    assert everyone.learners == 6


def test_a_user_whose_group_membership_is_not_committed_is_not_in_the_group(post: Post) -> None:
    scene = make_scene(learners=6, completed=0, begun=0)
    users = scene.users()
    group(scene, "bern", [users[0].email])
    with another_transaction() as joining:
        add_members(joining, scene.admin, group_by_code(joining, scene.organization.id, "bern"), [users[1].email])
        seen = scene.preview(audience="group", group="bern")
    reset = scene.request(seen)
    assert (seen.learners, len(reset_learners(post, reset))) == (1, 1)


def test_a_named_user_whose_assignment_is_not_committed_cannot_be_planned_for(post: Post) -> None:
    scene = make_scene(learners=6, completed=0, begun=0)
    late = without_the_last(scene)
    with another_transaction() as importing:
        import_lines(importing, scene, f"{COURSE},{late},true")
        with pytest.raises(Exception, match="not assigned"):
            scene.preview(audience="users", users=[late])
    assert scene.preview(audience="users", users=[late]).learners == 1


def test_every_write_of_an_enrolment_records_its_transaction(database: str) -> None:
    scene = make_scene(learners=2)
    first, second = scene.enrolments()
    before = rows("SELECT id, assigned_xid::text, completed_xid::text FROM enrolment ORDER BY id")
    run("UPDATE enrolment SET due_at = now(), progress = progress WHERE id = :id", id=first.id)
    assert rows("SELECT id, assigned_xid::text, completed_xid::text FROM enrolment ORDER BY id") == before
    one = "SELECT {}::text FROM enrolment WHERE id = :id"
    run("UPDATE enrolment SET unassigned_at = now() WHERE id = :id", id=first.id)
    assert ask(one.format("assigned_xid"), id=first.id) == before[0][1]
    run("UPDATE enrolment SET unassigned_at = NULL WHERE id = :id", id=first.id)
    assert int(ask(one.format("assigned_xid"), id=first.id)) > int(before[0][1])
    run(
        "UPDATE enrolment SET completed_at = '2020-01-01', state = 'completed', progress = 100 WHERE id = :id",
        id=second.id,
    )
    assert int(ask(one.format("completed_xid"), id=second.id)) > int(before[0][2])


def test_a_backup_restored_on_another_server_hides_no_learner(post: Post) -> None:
    """Rows written on another server may have transaction ids that are still in the future here."""
    scene = make_scene(learners=6, completed=0, begun=0)
    group(scene, "bern", [scene.users()[0].email])
    with transaction() as session:
        complete(session, scene.enrolments()[0].registration)
    run("UPDATE enrolment SET assigned_xid = '999999999', completed_xid = '999999999'")
    run("UPDATE group_member SET joined_xid = '999999999'")
    for options, learners in (
        ({"audience": "users", "users": [scene.users()[3].email]}, 1),
        ({"audience": "completed"}, 1),
        ({"audience": "group", "group": "bern"}, 1),
        ({}, 6),
    ):
        seen = scene.preview(**options)
        reset = scene.request(seen)
        assert (seen.learners, len(reset_learners(post, reset))) == (learners, learners), options


def test_a_plan_from_before_a_restore_excludes_later_learners(post: Post) -> None:
    """A restore reuses transaction ids; the clock goes on."""
    scene = make_scene(learners=6, completed=0, begun=0)
    late = without_the_last(scene)
    seen = scene.preview()
    with transaction() as session:
        import_lines(session, scene, f"{COURSE},{late},true")
    run(f"UPDATE enrolment SET assigned_xid = '5' WHERE id = ({NEW} AND course_id = {scene.course.id})")
    reset = scene.request(seen)
    assert len(reset_learners(post, reset)) == 5


def test_after_the_clock_was_set_back_a_reset_has_the_same_learners_as_its_preview(post: Post) -> None:
    scene = make_scene(learners=6, completed=0, begun=0)
    run("UPDATE enrolment SET assigned_at = now() + interval '1 minute' WHERE id = :id", id=scene.enrolments()[0].id)
    seen = scene.preview()
    reset = scene.request(seen)
    assert (seen.learners, len(reset_learners(post, reset))) == (5, 5)


def test_a_preview_waits_for_no_import(database: str, set_up: Callable[..., None]) -> None:
    scene = make_scene(learners=6, completed=0, begun=0)
    late = without_the_last(scene)
    with another_transaction() as importing, ThreadPoolExecutor(1) as elsewhere:
        import_lines(importing, scene, f"{COURSE},{late},true")
        assert elsewhere.submit(scene.preview).result(timeout=5).learners == 5
