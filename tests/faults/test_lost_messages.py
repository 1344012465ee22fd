"""Every message may be lost, doubled, late or out of order: the outcome is the same."""

import time
from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tasks.app import app
from tests.post import Letter, Post
from tests.scenes import (
    Scene,
    alerts,
    ask,
    count_new_registrations,
    fail_for,
    ledger,
    let_all_pass,
    make_scene,
    recover,
    report_of,
    rows,
    run,
    state_of,
)

LEARNERS = 4
SLUGS = count(1)

# What happens to one of the messages that wait, or `recover` at an unforeseen moment.
ACTIONS = ("deliver", "deliver", "deliver", "double", "lose", "hold back", "recover")
SCRIPT = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 30)), min_size=10, max_size=40)


def play(post: Post, script: list[tuple[str, int]]) -> None:
    """Have these things happen to the messages."""
    waiting: list[Letter] = []
    for action, number in script:
        waiting += post.take()
        if action == "recover":
            recover()
        elif waiting:
            letter = waiting.pop(number % len(waiting))
            if action in ("deliver", "double"):
                post.deliver(letter)
            if action in ("double", "hold back"):
                waiting.append(letter)  # behind all others: whatever comes in between comes first
    for letter in waiting:
        post.deliver(letter)


def settle(post: Post, *resets: object) -> None:
    """From here on nothing more is lost, and beat ticks."""
    for _ in range(60):
        post.drain()
        if all(done(reset) for reset in resets):
            return
        time.sleep(0.02)
        recover()
    raise AssertionError(f"it never ends: {rows('SELECT * FROM reset_slice WHERE settled_at IS NULL')}")


def done(reset: object) -> bool:
    return report_of(reset)["done"] and app.AsyncResult(str(reset)).ready()  # type: ignore[arg-type]


def new_scene() -> Scene:
    """Learners of whom some have completed, some have begun, and some have not."""
    scene = make_scene(f"organization-{next(SLUGS)}", LEARNERS, completed=0, begun=0)
    first, second, third = (enrolment.id for enrolment in scene.enrolments()[:3])
    run(
        "INSERT INTO completion (registration) SELECT registration FROM enrolment WHERE id IN (:one, :two)",
        one=first,
        two=second,
    )
    run(
        "UPDATE enrolment SET state = 'completed', progress = 100, completed_at = now() WHERE id IN (:one, :two)",
        one=first,
        two=second,
    )
    run("UPDATE enrolment SET state = 'in_progress', progress = 40 WHERE id = :three", three=third)
    run("TRUNCATE new_registration")
    return scene


def assert_done_once(scene: Scene, reset: object) -> None:
    enrolments = scene.enrolments()
    assert ledger(reset) == {  # type: ignore[arg-type]
        enrolment.id: ("cleared" if place < 3 else "unchanged", None) for place, enrolment in enumerate(enrolments)
    }
    assert rows("SELECT enrolment_id, count(*) FROM new_registration GROUP BY 1 ORDER BY 1") == [
        (enrolment.id, 1) for enrolment in enrolments
    ]
    assert alerts(reset) == {enrolment.user_id: ("sent", None) for enrolment in enrolments[:3]}  # type: ignore[arg-type]
    assert ask("SELECT count(*) FROM notification WHERE reset_id = :id AND kind = 'course_assigned'", id=reset) == 3
    assert {(enrolment.state, enrolment.progress) for enrolment in enrolments} == {("assigned", 0)}
    assert state_of(reset) == "succeeded"  # type: ignore[arg-type]
    report = report_of(reset)  # type: ignore[arg-type]
    assert report["progress"] == {"total": LEARNERS, "cleared": 3, "unchanged": 1, "skipped": 0, "failed": 0}
    assert report["removed"]["completion"] == 2
    assert report["notified"] == 3
    result = app.AsyncResult(str(reset)).get(timeout=5)
    assert result["progress"] == report["progress"]
    assert result["removed"] == report["removed"]
    ended = rows("SELECT action FROM audit WHERE subject = :id ORDER BY id", id=str(reset))
    assert ended == [("reset.requested",), ("reset.succeeded",)]


@settings(
    max_examples=20,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # shrinking would run for minutes; the script is readable
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(script=SCRIPT, slices_in_flight=st.sampled_from([1, 2, 32]))
def test_whatever_happens_to_the_messages_each_learner_is_cleared_once_and_alerted_once(
    post: Post, set_up: Callable[..., None], script: list[tuple[str, int]], slices_in_flight: int
) -> None:
    set_up(recover_after_seconds=0.001, slices_in_flight=slices_in_flight)
    count_new_registrations()
    scene = new_scene()
    reset = scene.request()
    play(post, script)
    settle(post, reset)
    assert_done_once(scene, reset)
    # And nothing is left that would go on by itself.
    time.sleep(0.01)
    recover()
    assert post.take() == []


@settings(
    max_examples=5,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(before=SCRIPT, after=SCRIPT)
def test_whatever_happens_a_cancelled_reset_ends_and_touches_nobody_after_it(
    post: Post, set_up: Callable[..., None], before: list[tuple[str, int]], after: list[tuple[str, int]]
) -> None:
    set_up(recover_after_seconds=0.001)
    count_new_registrations()
    scene = new_scene()
    reset = scene.request()
    play(post, before)
    if state_of(reset) in ("succeeded", "cancelled"):
        return
    touched = {enrolment for (enrolment,) in rows("SELECT enrolment_id FROM new_registration")}
    scene.cancel(reset)
    play(post, after)
    settle(post, reset)
    assert {enrolment for (enrolment,) in rows("SELECT enrolment_id FROM new_registration")} == touched
    states = {enrolment: state for enrolment, (state, _) in ledger(reset).items()}
    assert {enrolment for enrolment, state in states.items() if state in ("cleared", "unchanged")} == touched
    assert state_of(reset) == ("succeeded" if len(touched) == LEARNERS else "cancelled")


@settings(
    max_examples=5,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(before=SCRIPT, after=SCRIPT)
def test_whatever_happens_a_failed_learner_fails_alone_and_is_retried_once(
    post: Post, set_up: Callable[..., None], before: list[tuple[str, int]], after: list[tuple[str, int]]
) -> None:
    set_up(recover_after_seconds=0.001)
    count_new_registrations()
    scene = new_scene()
    bad = scene.enrolments()[1]
    fail_for(bad)
    reset = scene.request()
    play(post, before)
    settle(post, reset)
    assert state_of(reset) == "partly_failed"
    assert app.AsyncResult(str(reset)).state == "FAILURE"
    let_all_pass()
    again = scene.retry_failed(reset)
    play(post, after)
    settle(post, reset)
    assert app.AsyncResult(str(again)).get(timeout=5)["state"] == "succeeded"
    assert rows("SELECT enrolment_id, count(*) FROM new_registration GROUP BY 1 ORDER BY 1") == [
        (enrolment.id, 1) for enrolment in scene.enrolments()
    ]
    assert report_of(reset)["progress"] == {
        "total": LEARNERS, "cleared": 3, "unchanged": 1, "skipped": 0, "failed": 0,
    }  # fmt: skip
    assert len(alerts(reset)) == 3


def test_losing_every_single_message_once_only_costs_time(post: Post, set_up: Callable[..., None]) -> None:
    set_up(recover_after_seconds=0.001)
    count_new_registrations()
    scene = new_scene()
    reset = scene.request()
    seen: set[str] = set()
    for _ in range(100):
        for letter in post.take():
            if letter.id in seen:
                post.deliver(letter)
            seen.add(letter.id)
        if done(reset):
            break
        time.sleep(0.01)
        recover()
    assert_done_once(scene, reset)
    assert len(seen) == LEARNERS + 2


@pytest.mark.parametrize("fate", ["lost", "doubled", "all that waits is lost with it"])
def test_at_no_moment_of_a_reset_does_the_fate_of_a_message_matter(
    post: Post, set_up: Callable[..., None], fate: str
) -> None:
    set_up(recover_after_seconds=0.001)
    count_new_registrations()
    for moment in count():
        scene = new_scene()
        reset = scene.request()
        delivered, waiting = 0, post.take()
        while waiting:
            letter = waiting.pop(0)
            if delivered != moment or fate == "doubled":
                post.deliver(letter)
            if delivered == moment and fate == "doubled":
                post.deliver(letter)
            waiting += post.take()
            if delivered == moment and fate.startswith("all"):
                waiting.clear()
            delivered += 1
        settle(post, reset)
        assert_done_once(scene, reset)
        if delivered <= moment:
            break
    assert moment >= LEARNERS + 3, "the coordinator, each slice, the coordinator again, and the alerts"


def test_what_lies_for_a_moment_only_is_not_sent_again(post: Post, set_up: Callable[..., None]) -> None:
    # Given a reset whose slices are in the queue, behind the work of others
    set_up(recover_after_seconds=30)
    new = make_scene(learners=3, completed=100)
    new.request()
    recover()
    [coordinator] = post.take()
    post.deliver(coordinator)
    slices = post.take()
    # When beat ticks, and its ticks are doubled
    for _ in range(3):
        recover()
    # Then there is nothing to send
    assert len(slices) == 3
    assert post.take() == []


def test_work_that_is_lost_again_and_again_is_sent_again_ever_more_rarely(
    post: Post, set_up: Callable[..., None]
) -> None:
    set_up(recover_after_seconds=0.1)
    scene = make_scene(learners=1, completed=100)
    scene.request()
    post.deliver(post.take()[0])
    sent = [1]
    end = time.monotonic() + 1.2
    while time.monotonic() < end:
        time.sleep(0.02)
        recover()
        for letter in post.take():
            if letter.task == "recourse.reset_course":
                post.deliver(letter)
        sent.append(ask("SELECT publications FROM reset_slice"))
    assert 3 <= sent[-1] <= 5, "after 0.1 s, 0.2 s, 0.4 s and 0.8 s, and not every 0.1 s"
