"""What a preview says, held against what is there."""

import pytest

from models.refusals.resets import AlreadyResetting
from tasks.reset import impact as module
from tests.post import Post
from tests.scenes import alerts, make_scene, records_of, report_of, run, state_of


def test_a_preview_counts_what_a_reset_then_removes(post: Post) -> None:
    scene = make_scene(learners=60, completed=40, begun=70)
    seen = scene.preview(about=True)
    assert not seen.about
    assert seen.removed == records_of(scene.course)
    assert seen.learners == 60
    reset = scene.request(seen)
    post.drain()
    assert report_of(reset)["removed"] == seen.removed
    assert len(alerts(reset)) == seen.alerts


def test_an_estimate_of_a_large_course_is_close_and_marked_as_an_estimate(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COUNTED_EXACTLY", 1000)
    monkeypatch.setattr(module, "SAMPLED", 400)
    scene = make_scene(learners=4000, completed=50, begun=80)
    exact, near = scene.preview(), scene.preview(about=True)
    assert (exact.about, near.about) == (False, True)
    assert exact.learners == near.learners == 4000
    assert exact.removed == records_of(scene.course)
    for kind, count in exact.removed.items():
        assert near.removed[kind] == pytest.approx(count, rel=0.25), kind
    assert near.alerts == pytest.approx(exact.alerts, rel=0.25)


def test_the_preview_names_learners_who_are_in_another_reset(post: Post) -> None:
    scene = make_scene(completed=100)
    some = [enrolment.user_id for enrolment in scene.enrolments()[:2]]
    scene.request(audience="users", users=some)
    post.deliver(post.take()[0])
    assert scene.preview().excluded == {"another reset of this learner is still open": 2}


def test_a_preview_names_a_few_of_its_own_learners(database: str) -> None:
    scene, other = make_scene(learners=9), make_scene("globex")
    names = {user.name for user in scene.users()}
    assert len(scene.preview().sample) == 5
    assert set(scene.preview().sample) <= names
    one = scene.users()[3]
    assert scene.preview(audience="users", users=[one.id]).sample == [one.name]
    assert other.organization.id != scene.organization.id


def test_a_reset_of_learners_who_are_all_being_reset_already_is_refused(post: Post) -> None:
    scene = make_scene(completed=100)
    scene.request()
    post.deliver(post.take()[0])
    with pytest.raises(AlreadyResetting, match="already"):
        scene.request()
    post.drain()
    scene.request()


def test_a_course_without_learners_is_not_refused(post: Post) -> None:
    scene = make_scene(learners=1)
    run("UPDATE enrolment SET unassigned_at = now()")
    reset = scene.request()
    post.drain()
    assert state_of(reset) == "succeeded"
