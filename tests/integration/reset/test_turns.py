"""Organizations take turns in the queue, and so do the resets of one organization."""

from collections import Counter, deque
from collections.abc import Callable
from uuid import UUID

import pytest

from config.celery import QUEUES
from tasks.app import app
from tests.post import Letter, Post
from tests.scenes import Scene, ask, make_scene, recover, report_of, rows, run, slow_down, state_of
from tests.workers import Worker, until

pytestmark = pytest.mark.usefixtures("small_slices")
SLICE, COORDINATOR = "recourse.clear_learners", "recourse.reset_course"


def slices(letters: list[Letter]) -> list[Letter]:
    return [letter for letter in letters if letter.task == SLICE]


def resets_of(scene: Scene, count: int) -> list[str]:
    """Request `count` resets of one organization, each of another course."""
    run(
        """INSERT INTO course (organization_id, code, title)
           SELECT :organization, 'C-' || n, 'Course' FROM generate_series(1, :count) n""",
        organization=scene.organization.id,
        count=count,
    )
    run(
        """INSERT INTO enrolment (organization_id, user_id, course_id)
           SELECT u.organization_id, u.id, c.id FROM "user" u JOIN course c USING (organization_id)
           WHERE u.email LIKE 'learner-%' AND c.code LIKE 'C-%' AND organization_id = :organization""",
        organization=scene.organization.id,
    )
    return [str(scene.request(course=f"C-{number}")) for number in range(1, count + 1)]


def test_all_resets_of_an_organization_share_one_limit_of_queued_slices(
    post: Post, set_up: Callable[..., None]
) -> None:
    # Given an organization with seven large resets, and another with one reset
    set_up(slices_in_flight=4, slices_in_flight_per_organization=6)
    big, small = make_scene("big", 250, completed=0, begun=0), make_scene("small", 250, completed=0, begun=0)
    theirs = resets_of(big, 7)
    ours = str(small.request())
    waiting = post.take()
    done: Counter[str] = Counter()
    before_ours: list[str] = []
    # When the messages are delivered in order
    while waiting:
        letter = waiting.pop(0)
        post.deliver(letter)
        waiting += post.take()
        in_queue = Counter(one.kwargs["reset_id"] for one in slices(waiting))
        # Then neither exceeds its share of the queue
        assert sum(in_queue[reset] for reset in theirs) <= 6, in_queue
        assert max(in_queue.values(), default=0) <= 4, in_queue
        if letter.task == SLICE:
            done[letter.kwargs["reset_id"]] += 1
            if letter.kwargs["reset_id"] != ours and done[ours] < 10:
                before_ours.append(letter.kwargs["reset_id"])
                # … the resets of one organization progress together
                under_way = [done[reset] for reset in theirs]
                assert max(under_way) - min(under_way) <= 5, done
    # … the small one ends long before the seven, which all end too
    assert done == Counter(dict.fromkeys([*theirs, ours], 10))
    assert len(before_ours) < 40
    assert {state_of(reset) for reset in (*theirs, ours)} == {"succeeded"}  # type: ignore[arg-type]
    assert ask("SELECT max(publications) FROM reset_slice") == 1


def test_waiting_for_a_turn_does_not_count_as_lost(post: Post, set_up: Callable[..., None]) -> None:
    set_up(slices_in_flight=2, slices_in_flight_per_organization=2, recover_after_seconds=3600)
    scene = make_scene("big", 250, completed=0, begun=0)
    resets_of(scene, 2)
    for letter in post.take():
        post.deliver(letter)
    assert len(slices(post.take())) == 2
    assert rows("SELECT count(published_at) FROM reset_slice GROUP BY reset_id ORDER BY 1") == [(0,), (2,)]
    run("UPDATE reset SET requested_at = requested_at - interval '2 hours'")
    recover()
    assert post.take() == []
    assert ask("SELECT sum(recoveries) FROM reset") == 0


def test_a_cancelled_reset_makes_room_for_the_others_of_its_organization(
    post: Post, set_up: Callable[..., None]
) -> None:
    set_up(slices_in_flight=4, slices_in_flight_per_organization=4)
    scene = make_scene("big", 250, completed=0, begun=0)
    first, second = resets_of(scene, 2)
    for letter in post.take():
        post.deliver(letter)
    assert {letter.kwargs["reset_id"] for letter in slices(post.take())} == {first}
    scene.cancel(first)  # type: ignore[arg-type]
    [letter] = post.take()
    post.deliver(letter)
    assert [letter.kwargs["reset_id"] for letter in slices(post.take())] == [second] * 4
    assert state_of(first) == "cancelled"  # type: ignore[arg-type]


def test_one_learner_does_not_wait_for_the_company(post: Post, set_up: Callable[..., None]) -> None:
    set_up(slices_in_flight=4, slices_in_flight_per_organization=4)
    scene = make_scene("big", 250, completed=0, begun=0)
    resets_of(scene, 2)
    for letter in post.take():
        post.deliver(letter)
    assert len(slices(post.take())) == 4
    reset = scene.request(audience="users", users=[scene.users()[0].id])
    post.drain()
    assert state_of(reset) == "succeeded"


class Workers:
    """A worker of each queue, which takes its messages in order, one a turn."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._queues: dict[str, deque[Letter]] = {queue: deque() for queue in QUEUES}

    def turn(self) -> None:
        for letter in self._post.take():
            self._queues[letter.queue].append(letter)
        for queue in self._queues.values():
            if queue:
                self._post.deliver(queue.popleft())

    def learners_until_settled(self, reset: UUID) -> Counter[int]:
        """How many learners of each organization are cleared until the reset has ended."""
        before = settled_by_organization()
        while state_of(reset) in ("requested", "running"):
            self.turn()
        return settled_by_organization() - before


def settled_by_organization() -> Counter[int]:
    return Counter(
        dict(
            rows(
                """SELECT organization_id, sum(s.cleared + s.unchanged)::int FROM reset r JOIN reset_slice s
                   ON s.reset_id = r.id GROUP BY 1"""
            )
        )
    )


@pytest.fixture
def tenth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make everything a tenth of its size, except that from 201 learners on a reset is no small one."""
    for name, value in {"FEWEST_IN_A_SLICE": 25, "MOST_IN_A_SLICE": 100, "SLICES_AIMED_AT": 16, "AHEAD": 300}.items():
        monkeypatch.setattr(f"tasks.reset.window.{name}", value)


@pytest.mark.usefixtures("tenth")
def test_beside_a_hundredfold_reset_a_small_organization_waits_for_at_most_three_times_its_own_work(
    post: Post,
) -> None:
    # Given a reset of 900 learners alone, of another organization's 10,000 beside it, and of weight 5
    big, small = make_scene("big", 10_000, completed=0, begun=0), make_scene("small", 900, completed=0, begun=0)
    workers = Workers(post)
    big.request()
    for _ in range(20):
        workers.turn()
    assert 0 < settled_by_organization()[big.organization.id] < 3000
    # Then in the turns that the small one takes, at most twice as many others are cleared
    beside = workers.learners_until_settled(small.request())
    assert beside[small.organization.id] == 900
    assert beside[big.organization.id] <= 2 * 900, beside
    # … and fewer if it has more weight
    run("UPDATE organization SET weight = 5 WHERE slug = 'small'")
    weighty = workers.learners_until_settled(small.request(course="DATA-202"))
    assert weighty[big.organization.id] < beside[big.organization.id], (weighty, beside)


@pytest.mark.usefixtures("tenth")
def test_three_of_four_slices_are_those_of_an_organization_with_weight_three(post: Post) -> None:
    # Given a reset of 40 slices of two organizations each, of which the lighter one came first
    light, heavy = (make_scene(name, 4000, completed=0, begun=0) for name in ("light", "heavy"))
    run("UPDATE organization SET weight = 3 WHERE slug = 'heavy'")
    workers = Workers(post)
    for scene in (light, heavy):
        scene.request()
    while len(before := settled_by_organization()) < 2 or not all(before.values()):
        workers.turn()
    # Then of the next 24 slices of 100 learners, it has 18
    done: Counter[int] = Counter()
    while done.total() < 2400:
        workers.turn()
        done = settled_by_organization() - before
    assert done == {heavy.organization.id: 1800, light.organization.id: 600}


def test_a_small_organizations_reset_is_done_beside_many_of_a_large_one(start_worker: Callable[..., Worker]) -> None:
    # Given an organization with 16 running resets of 2,000 learners each and slow slices
    big, small = make_scene("big", 2000, completed=0, begun=0), make_scene("small", 2000, completed=0, begun=0)
    slow_down(0.1)
    theirs = resets_of(big, 16)
    # Few ticks: this one worker reads them too, from the queue of what a person waits for.
    start_worker(recover_after_seconds=30, recover_every_seconds=20)
    until(lambda: ask("SELECT count(*) FROM reset_slice WHERE settled_at IS NOT NULL") > 10, 60)
    # When a small organization resets a course of 2,000
    reset = small.request()
    app.AsyncResult(str(reset)).get(timeout=90)
    # Then its reset ends before half of theirs
    figures = [report_of(one)["progress"] for one in theirs]  # type: ignore[arg-type]
    assert sum(one["unchanged"] for one in figures) < 16_000, figures
    assert report_of(reset)["progress"]["unchanged"] == 2000
