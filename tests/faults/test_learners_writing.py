"""Learners who write while their course is reset, and resets that want the same learners."""

import threading
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from sqlalchemy import Connection, event, text

from models.session import engine, transaction
from tasks.reset.plan import MOST_NAMED_USERS
from tests.installations import Installation, Writing
from tests.post import Post
from tests.scenes import ask, make_scene, rows, run, slow_down
from tests.sizes import Size, sized
from tests.workers import Worker, until

BACKWARDS = "backwards"  # the name of threads that find learners in another order


@sized(learners=(1500, 20_000), writers=(50, 50))
def test_fifty_learners_who_write_throughout(
    installed: Callable[..., Installation], start_worker: Callable[..., Worker], size: Size
) -> None:
    installation = installed(learners=size.learners)
    slow_down(0.1)
    installation.reset()
    installation.reset([user.id for user in installation.scene.users()[:MOST_NAMED_USERS]])
    with Writing(installation, size.writers):
        until(lambda: len(installation.books.written) > size.writers)
        start_worker()
        installation.wait_for(1)
        so_far = len(installation.books.written)
        until(lambda: len(installation.books.written) > so_far + size.writers)
    installation.assert_nothing_is_lost()
    written = len(installation.books.written)
    kept = ask("SELECT count(*) FROM discussion_post WHERE body LIKE 'written: %'")
    assert 0 < kept < written, "some were written before the reset, and some after it"


@pytest.fixture
def backwards(database: str) -> Iterator[None]:
    """In threads of that name, PostgreSQL finds rows by reading the table, in which they lie backwards."""

    def begin(connection: Connection) -> None:
        if threading.current_thread().name == BACKWARDS:
            for way in ("indexscan", "indexonlyscan", "bitmapscan"):
                connection.exec_driver_sql(f"SET LOCAL enable_{way} TO off")

    event.listen(engine(), "begin", begin)
    yield
    event.remove(engine(), "begin", begin)


@pytest.mark.usefixtures("backwards")
def test_two_resets_that_find_the_same_learners_in_opposite_order_do_not_deadlock(post: Post) -> None:
    # Given learners who lie backwards in the table, and two resets of them, each of which is about to begin its slice
    scene = make_scene(learners=250, completed=100)
    learners = [enrolment.id for enrolment in scene.enrolments()]
    run("CREATE INDEX backwards ON enrolment ((-id))")
    run("CLUSTER enrolment USING backwards")
    lying = [row for (row,) in rows("SELECT id FROM enrolment WHERE course_id = :c ORDER BY ctid", c=scene.course.id)]
    assert lying == learners[::-1]
    resets = [scene.request() for _ in range(2)]
    for letter in post.take():
        post.deliver(letter)
    # When a third one holds a learner in the middle, until each waits for a learner
    failed: list[BaseException] = []
    with transaction() as session:
        session.execute(text("SELECT FROM enrolment WHERE id = :id FOR UPDATE"), {"id": learners[125]})
        threads = [
            threading.Thread(target=_clear, args=(reset, failed), name=name)
            for reset, name in zip(resets, ("forwards", BACKWARDS), strict=True)
        ]
        for thread in threads:
            thread.start()
        until(lambda: ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == 2)
    for thread in threads:
        thread.join(60)
    # Then both go on
    assert failed == []
    states = rows("SELECT cleared + skipped FROM reset_slice WHERE reset_id = ANY(:ids)", ids=resets)
    assert states == [(250,), (250,)]


def _clear(reset: UUID, failed: list[BaseException]) -> None:
    from tasks.reset.clear import clear  # imports tasks, which no test module may

    try:
        clear(reset, 1)
    except Exception as error:
        failed.append(error)
