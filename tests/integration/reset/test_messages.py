"""The content of the messages, which Flower and the logs show too."""

from ast import literal_eval
from collections.abc import Callable
from itertools import pairwise, product

import pytest
import redis
from sqlalchemy import select

from config.celery import name_on_the_broker
from models.resets import QUICK_UP_TO, Audience, Reset
from models.session import transaction
from tasks.app import TASK_MODULES, app
from tests.post import Letter, Post
from tests.scenes import COURSE, Scene, ask, fail_for, let_all_pass, make_scene, report_of, state_of

COORDINATOR, SLICE, NOTIFY = "recourse.reset_course", "recourse.clear_learners", "recourse.notify"


def of(letters: list[Letter], task: str) -> list[Letter]:
    return [letter for letter in letters if letter.task == task]


def shown(letter: Letter) -> dict[str, str]:
    """Return the arguments that Flower shows."""
    arguments: dict[str, str] = literal_eval(letter.headers["kwargsrepr"])
    return arguments


def test_up_to_two_hundred_learners_each_get_a_subtask(post: Post, set_up: Callable[..., None]) -> None:
    set_up(slices_in_flight=1000)
    scene = make_scene(learners=200, completed=0, begun=0)
    reset = scene.request()
    post.deliver(post.take()[0])
    slices = post.take()
    assert len(slices) == 200
    assert [shown(letter) for letter in slices[:2]] == [
        {"reset": str(reset), "learners": "1"},
        {"reset": str(reset), "learners": "2"},
    ]


def test_ten_thousand_learners_make_a_readable_number_of_subtasks(post: Post) -> None:
    scene = make_scene(learners=10_000, completed=0, begun=0)
    reset = scene.request()
    delivered = post.drain()
    slices = of(delivered, SLICE)
    assert 10 <= len(slices) <= 300
    assert len(delivered) < len(slices) + 10
    assert report_of(reset)["progress"] == {
        "total": 10_000, "cleared": 0, "unchanged": 10_000, "skipped": 0, "failed": 0, "waiting": 0,
    }  # fmt: skip
    # The ranges in Flower cover all learners without gaps.
    ranges = [shown(letter)["learners"] for letter in slices]
    edges = [tuple(int(edge) for edge in one.split("-")) for one in ranges]
    assert edges[0][0] == 1
    assert edges[-1][1] == 10_000
    assert all(after[0] == before[1] + 1 for before, after in pairwise(edges))
    # The queue never holds more of them than the window.
    assert ask("SELECT max(publications) FROM reset_slice") == 1


def test_the_tasks_of_a_reset_form_a_tree(post: Post) -> None:
    # Given all messages of a reset, including the coordinator's last, which a slice sends
    scene = make_scene(learners=3, completed=100)
    reset = str(scene.request())
    delivered = post.drain()
    # Then the coordinator has no parent and is the parent and root of all others
    coordinators = of(delivered, COORDINATOR)
    assert len(coordinators) >= 2
    assert {(one.id, one.headers["root_id"], one.headers["parent_id"]) for one in coordinators} == {
        (reset, reset, None)
    }
    others = [letter for letter in delivered if letter.task != COORDINATOR]
    assert {(one.headers["root_id"], one.headers["parent_id"]) for one in others} == {(reset, reset)}
    assert sorted(one.id for one in others) == [f"{reset}.{number}" for number in (1, 2, 3)] + [f"{reset}.notify"]
    # And Celery records none of them as children of the result
    assert not app.AsyncResult(reset).children


def test_a_retry_has_its_own_tree_of_tasks(post: Post) -> None:
    scene = make_scene(learners=1, completed=100)
    fail_for(scene.enrolments()[0])
    reset = scene.request()
    post.drain()
    let_all_pass()
    again = str(scene.retry_failed(reset))
    assert {letter.headers["root_id"] for letter in post.drain()} == {again}


@pytest.mark.parametrize(
    ("learners", "audience", "queues"),
    [
        (5, Audience.ASSIGNED, {COORDINATOR: "interactive", SLICE: "interactive", NOTIFY: "notify"}),
        (5, Audience.USERS, {COORDINATOR: "interactive", SLICE: "interactive", NOTIFY: "notify"}),
        (201, Audience.ASSIGNED, {COORDINATOR: "interactive", SLICE: "bulk", NOTIFY: "notify"}),
        (251, Audience.ASSIGNED, {COORDINATOR: "bulk", SLICE: "bulk", NOTIFY: "notify"}),
    ],
)
def test_each_message_goes_to_its_queue(
    post: Post, learners: int, audience: Audience, queues: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.resets.QUICK_UP_TO", 250)  # in place of 5,000
    scene = make_scene(learners=learners, completed=100)
    users = [user.id for user in scene.users()[:2]] if audience == Audience.USERS else None
    scene.request(audience=audience, users=users)
    assert {letter.task: letter.queue for letter in post.drain()} == queues


def test_queries_and_messages_agree_on_which_resets_are_quick(post: Post) -> None:
    reset_id = make_scene(learners=1).request()
    quick = []
    with transaction() as session:
        reset = session.get_one(Reset, reset_id)
        sizes = (None, QUICK_UP_TO, QUICK_UP_TO + 1)
        for written, shown, audience in product(sizes, sizes, (Audience.ASSIGNED, Audience.USERS)):
            reset.learners = written
            reset.shown = None if shown is None else {"learners": shown}
            reset.audience = audience
            reset.user_ids = [1] if audience == Audience.USERS else None
            session.flush()
            quick.append(session.scalars(select(Reset.is_quick)).one())
            assert reset.is_quick == quick[-1]
    assert quick.count(True) == 13, "all 9 of named users, 3 with few learners, and one whose preview showed few"


def test_nothing_personal_is_in_the_broker(post: Post, redis_server: redis.Redis) -> None:
    # Given a reset of one named person
    scene = make_scene(learners=3, completed=100)
    person = scene.users()[0]
    scene.request(audience=Audience.USERS, users=[person.email], reason="she asked for it")
    written = b""
    while True:
        for queue in ("interactive", "bulk", "notify"):
            lying = redis_server.lrange(name_on_the_broker(queue), 0, -1)
            written += b"".join(lying)  # type: ignore[arg-type]
        letters = post.take()
        if not letters:
            break
        written += repr([(letter.headers, letter.kwargs) for letter in letters]).encode()
        for letter in letters:
            post.deliver(letter)
    assert COURSE.encode() in written
    assert b'"headers"' in written, "the broker's own lists were looked at"
    for secret in (person.email, person.name, "she asked", "admin@"):
        assert secret.encode() not in written


def test_a_message_of_a_reset_that_is_not_there_does_nothing(post: Post, database: str) -> None:
    for name, kwargs in (
        (COORDINATOR, {"reset_id": "0197a0a0-0000-7000-8000-000000000001"}),
        (SLICE, {"reset_id": "0197a0a0-0000-7000-8000-000000000001", "number": 1}),
        (NOTIFY, {"reset_id": "0197a0a0-0000-7000-8000-000000000001"}),
    ):
        app.send_task(name, kwargs=kwargs)
    assert len(post.drain()) == 3


def test_the_result_is_the_report_and_a_duplicate_message_does_not_change_it(post: Post) -> None:
    scene: Scene = make_scene(completed=100)
    reset = scene.request()
    [first] = post.take()
    post.deliver(first)
    post.drain()
    result = app.AsyncResult(str(reset)).get(timeout=5)
    assert result["state"] == "succeeded"
    assert result["progress"] == {"total": 12, "cleared": 12, "unchanged": 0, "skipped": 0, "failed": 0, "waiting": 0}
    assert result["removed"] == report_of(reset)["removed"]
    post.deliver(first)
    assert app.AsyncResult(str(reset)).get(timeout=5) == result
    assert state_of(reset) == "succeeded"


def test_the_result_announces_nothing_further(post: Post) -> None:
    """The result is stored before the alerts are sent, and never changes."""
    reset = make_scene(completed=100).request()
    post.drain()
    result = app.AsyncResult(str(reset)).get(timeout=5)
    assert result.get("done", True) is True
    assert result.get("notified", 11) == 11


def test_every_module_that_a_worker_loads_holds_a_task(database: str) -> None:
    ours = {task.__module__ for name, task in app.tasks.items() if name.startswith("recourse.")}
    assert ours == set(TASK_MODULES)
