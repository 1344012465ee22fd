"""Every message may be lost, duplicated, late or out of order: the outcome is the same."""

import random
import time
from collections.abc import Callable
from itertools import count
from uuid import UUID

import pytest
import redis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from config.celery import QUEUES, name_on_the_broker
from tasks.app import app
from tasks.reset.clear_learners import begin_attempt
from tests.installations import Installation
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
from tests.sizes import Size, sized
from tests.workers import Worker, until

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
    assert report["progress"] == {
        "total": LEARNERS,
        "cleared": 3,
        "unchanged": 1,
        "skipped": 0,
        "failed": 0,
        "waiting": 0,
    }
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
        "total": LEARNERS, "cleared": 3, "unchanged": 1, "skipped": 0, "failed": 0, "waiting": 0,
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


@pytest.mark.parametrize("fate", ["lost", "duplicated", "all that waits is lost with it"])
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
            if delivered != moment or fate == "duplicated":
                post.deliver(letter)
            if delivered == moment and fate == "duplicated":
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


@sized(learners=(30, 2000))
def test_each_message_comes_three_times_in_any_order(
    post: Post, installed: Callable[..., Installation], size: Size
) -> None:
    chance = random.Random(20261129)
    installation = installed(learners=size.learners)
    installation.reset()
    while letters := 3 * post.take():
        chance.shuffle(letters)
        for letter in letters:
            post.deliver(letter)
    installation.assert_nothing_is_lost(outside=False)


def test_work_queued_a_moment_ago_is_not_sent_again(post: Post, set_up: Callable[..., None]) -> None:
    # Given a reset whose slices are in the queue, behind the work of others
    set_up(recover_after_seconds=30)
    new = make_scene(learners=3, completed=100)
    new.request()
    recover()
    [coordinator] = post.take()
    post.deliver(coordinator)
    slices = post.take()
    # When beat ticks, and its ticks are duplicated
    for _ in range(3):
        recover()
    # Then there is nothing to send
    assert len(slices) == 3
    assert post.take() == []


def publications() -> int:
    return int(ask("SELECT publications FROM reset_slice"))


def under_way(post: Post) -> Letter:
    """A reset whose only slice was sent 20 seconds ago. Returns the message."""
    scene = make_scene(learners=1, completed=100)
    scene.request()
    post.deliver(post.take()[0])
    [letter] = post.take()
    pass_seconds(21)
    return letter


def pass_seconds(seconds: int) -> None:
    run("UPDATE reset_slice SET published_at = published_at - make_interval(secs => :s), "
        "begun_at = begun_at - make_interval(secs => :s)", s=seconds)  # fmt: skip


def test_however_often_a_slice_was_lost_it_is_sent_again_after_the_first_wait(post: Post) -> None:
    under_way(post)
    for times in range(1, 8):
        assert publications() == times
        recover()
        recover()
        assert [letter.task for letter in post.take()] == ["recourse.clear_learners"]
        pass_seconds(21)
    assert ask("SELECT recoveries FROM reset") == 7


def test_a_slice_that_was_begun_again_and_again_in_vain_waits_ever_longer(post: Post) -> None:
    letter = under_way(post)
    waits = []
    for times in range(1, 7):
        # When its worker dies of it
        begin_attempt(UUID(letter.kwargs["reset_id"]), letter.kwargs["number"])
        waited = 0
        while publications() == times:
            pass_seconds(5)
            waited += 5
            recover()
        waits.append(waited)
        post.take()
    assert waits == pytest.approx([20, 20, 40, 80, 160, 320], rel=0.2, abs=5)  # time passes by itself, too


def test_what_waits_in_a_long_queue_is_not_sent_again_until_what_was_sent_later_is_read(
    post: Post, redis_server: redis.Redis
) -> None:
    # Given a slice whose message is lost, and a queue in which others wait
    under_way(post)
    queue = name_on_the_broker("interactive")
    app.send_task("recourse.retrain", queue="interactive")
    # When hours go by without a worker
    for _ in range(5):
        recover()
        pass_seconds(3600)
    # Then the slice may still wait there, for all that is known, and one probe in a while is all that is sent
    assert publications() == 1
    assert redis_server.llen(queue) <= 3
    # But once the queue was read up to a probe, the slice was lost, though others wait there again
    post.take()
    app.send_task("recourse.retrain", queue="interactive")
    recover()
    assert publications() == 2


def hours_pass(minutes: int) -> None:
    """As if it had been so long, for everything that `recover` looks at."""
    for table, columns in (
        ("reset", ("requested_at", "start_at", "recovered_at", "finished_at")),
        ("reset_slice", ("published_at", "begun_at", "settled_at")),
        ("queue_probe", ("sent_at", "read_up_to")),
    ):
        moved = ", ".join(f"{column} = {column} - make_interval(mins => :minutes)" for column in columns)
        run(f"UPDATE {table} SET {moved}", minutes=minutes)


def test_a_day_without_a_worker_leaves_a_bounded_number_of_messages(
    post: Post, redis_server: redis.Redis, set_up: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.probe.ROLL_CALL", 0.01)  # at each of 144 ticks, in vain
    set_up(slices_in_flight_per_organization=100)
    # Given a hundred resets of which a third are requested, a third are running, and a third have alerts left
    scene = make_scene(learners=100, completed=1000)
    resets = [scene.request(audience="users", users=[user.id]) for user in scene.users()]
    letters = [letter for letter in post.take() if letter.task == "recourse.reset_course"]
    for letter in letters[33:]:
        post.deliver(letter)
    settled = [letter for letter in post.take() if letter.kwargs["reset_id"] in set(map(str, resets[66:]))]
    for letter in settled:
        post.deliver(letter)
    for letter in post.take():
        if letter.task == "recourse.reset_course":
            post.deliver(letter)
    states = rows("SELECT state, count(*) FROM reset GROUP BY state ORDER BY state")
    assert states == [("requested", 33), ("running", 33), ("succeeded", 34)]
    post.take()
    # When no worker is there for a day, while beat ticks
    waiting = []
    for tick in range(24 * 6):
        hours_pass(10)
        recover()
        if tick % 6 == 5:
            waiting.append(sum(redis_server.llen(name_on_the_broker(queue)) for queue in QUEUES))  # type: ignore[misc]
    # Then what waits has grown ever more slowly, and not with each tick
    assert 100 <= waiting[0] <= 700, waiting
    assert waiting[-1] <= 3300, waiting
    assert waiting[-1] - waiting[-13] <= 100 * 13, waiting
    # … and what was lost at first is counted once, and not what waits since
    assert ask("SELECT max(recoveries) FROM reset") == 1
    # … a worker that comes back does it all, and then nothing is left to send
    first = {letter.id: letter for letter in reversed(post.take())}  # of those that say the same, once is enough
    for letter in first.values():
        post.deliver(letter)
    for _ in range(3):
        post.drain()
        hours_pass(5)
        recover()
    assert {state_of(reset) for reset in resets} == {"succeeded"}
    assert ask("SELECT count(*) FROM notification WHERE state = 'pending'") == 0
    assert post.take() == []
    assert len(rows("SELECT DISTINCT user_id FROM notification WHERE kind = 'course_assigned'")) == 90


def test_lost_work_is_sent_again_soon_however_often_it_was_lost_before(post: Post) -> None:
    # Given a reset whose message has waited for hours behind others, and was sent again some times
    scene = make_scene(learners=3, completed=100)
    reset = scene.request()
    for _ in range(20):
        hours_pass(10)
        recover()
    assert ask("SELECT sent_in_vain FROM reset") > 3
    assert ask("SELECT recoveries FROM reset") == 0, "it waited, and was not lost"
    # When all of it is lost, again and again
    for times in range(1, 4):
        post.take()
        run("UPDATE reset SET recovered_at = now() - interval '31 seconds'")
        recover()
        lost = post.take()
        assert [letter.task for letter in lost] == ["recourse.reset_course"]
        assert ask("SELECT recoveries FROM reset") == times
    # Then it is sent again after the first wait, and done
    post.deliver(lost[0])
    post.drain()
    assert state_of(reset) == "succeeded"
    assert ask("SELECT sent_in_vain FROM reset") == 0


def test_an_expired_notify_message_is_dropped_without_harm(post: Post, start_worker: Callable[..., Worker]) -> None:
    scene = make_scene(learners=3, completed=100)
    reset = scene.request()
    letters = post.take()
    while letters:
        letter = letters.pop(0)
        if letter.task != "recourse.notify":
            post.deliver(letter)
        letters += post.take()
    hours_pass(10)
    recover()
    [again] = [letter for letter in post.take() if letter.task == "recourse.notify"]
    assert again.headers["expires"]
    # When one comes that is too late already, then it is not read, and the next one is
    app.send_task("recourse.notify", kwargs={"reset_id": str(reset)}, queue="notify", expires=-3600)
    start_worker(beat=False)
    until(lambda: redis_llen("notify") == 0)
    time.sleep(1)
    assert ask("SELECT count(*) FROM notification WHERE state = 'pending'") > 0
    hours_pass(10)
    recover()
    until(lambda: ask("SELECT count(*) FROM notification WHERE state = 'pending'") == 0)
    assert app.AsyncResult(str(reset)).state == "SUCCESS"


def redis_llen(queue: str) -> int:
    with app.connection_for_read() as connection:
        return int(connection.default_channel.client.llen(name_on_the_broker(queue)))
