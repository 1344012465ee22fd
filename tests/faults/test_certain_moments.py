"""A worker that ends at one certain moment."""

import time
from collections.abc import Callable

import redis

from tasks.app import app
from tests.post import Post
from tests.scenes import (
    ask,
    assert_done_once,
    count_new_registrations,
    make_scene,
    recover,
    report_of,
    rows,
    run,
    settled,
    slow_down,
    state_of,
)
from tests.workers import Worker, until

LEARNERS = 2000


def test_a_stopping_worker_finishes_its_running_tasks_and_leaves_the_rest_to_the_next(
    start_worker: Callable[..., Worker],
) -> None:
    # Given a worker and its successor in the middle of a reset, both without beat: nothing is sent again
    scene = make_scene(learners=LEARNERS, completed=100, begun=100)
    slow_down(0.3)
    count_new_registrations()
    old, _ = (start_worker(beat=False, soft_shutdown_seconds=2) for _ in range(2))
    reset = scene.request()
    until(lambda: settled(reset) > LEARNERS / 8)
    # When the old one is told to stop, as an upgrade does
    old.process.terminate()
    before = settled(reset)
    assert before < LEARNERS * 3 / 4, "the successor has nothing to do"
    assert old.process.wait(30) == 0
    # Then the other one goes on meanwhile, and no slice was begun twice
    assert settled(reset) > before
    assert_done_once(scene, reset)
    assert rows("SELECT max(attempts), max(publications) FROM reset_slice WHERE position > 0") == [(1, 1)]
    assert ask("SELECT recoveries FROM reset") == 0


def test_a_killed_child_process_returns_its_slice(start_worker: Callable[..., Worker]) -> None:
    # Given a worker without beat, so that nothing but the message itself can bring the slice back
    scene = make_scene(learners=LEARNERS, completed=100, begun=100)
    slow_down(0.1)
    count_new_registrations()
    worker = start_worker(beat=False)
    reset = scene.request()
    until(lambda: settled(reset) > LEARNERS / 4)
    # When both its child processes are killed in the middle of a slice
    children = worker.children()
    assert len(children) == 2
    until(lambda: ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == 2)
    for child in children:
        child.kill()
    assert settled(reset) < LEARNERS
    # Then others take their place, and do it all once
    assert_done_once(scene, reset)
    assert ask("SELECT max(attempts) FROM reset_slice") == 2


def test_a_worker_killed_before_it_stored_the_result_leaves_no_one_waiting(
    start_worker: Callable[..., Worker],
) -> None:
    # Given a result table that is slow to take the result, for as long as there is a row in `hold`
    scene = make_scene()
    run("CREATE TABLE hold AS SELECT 1 AS one")
    run(
        """CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           WHILE EXISTS (SELECT FROM hold) LOOP PERFORM pg_sleep(0.05); END LOOP; RETURN new; END $$"""
    )
    run(
        """CREATE TRIGGER wait BEFORE INSERT OR UPDATE ON celery_taskmeta FOR EACH ROW
           WHEN (new.status = 'SUCCESS') EXECUTE FUNCTION wait()"""
    )
    worker = start_worker()
    reset = scene.request()
    until(lambda: state_of(reset) == "succeeded")
    until(lambda: ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
    # When the worker is killed between the end of the job and its result
    worker.kill()
    assert not app.AsyncResult(str(reset)).ready()
    run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
    run("DELETE FROM hold")
    assert ask("SELECT reported_at FROM reset") is None
    # Then the next one stores it
    start_worker()
    assert app.AsyncResult(str(reset)).get(timeout=30)["state"] == "succeeded"
    until(lambda: ask("SELECT reported_at FROM reset"))


def test_a_reset_whose_connection_is_cut_again_and_again_is_not_given_up(
    post: Post, set_up: Callable[..., None]
) -> None:
    # Given a server that cuts the connection whenever the reset is begun, more often than anything may be tried
    set_up(slice_attempts=2, recover_after_seconds=0.01)
    scene = make_scene(learners=3, completed=100)
    run(
        "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$"
    )
    run("CREATE TRIGGER cut BEFORE INSERT ON reset_slice FOR EACH STATEMENT EXECUTE FUNCTION cut()")
    reset = scene.request()
    for _ in range(4):
        post.deliver(post.take()[0])
        assert state_of(reset) == "requested"
        time.sleep(0.02)
        recover()
    # When it no longer does, then the reset goes on as if nothing had been
    run("DROP FUNCTION cut CASCADE")
    post.drain()
    assert state_of(reset) == "succeeded"
    assert report_of(reset)["progress"]["cleared"] == 3


def test_a_slice_taken_from_a_worker_leaves_no_retry_result(
    start_worker: Callable[..., Worker], redis_server: redis.Redis
) -> None:
    # Given a worker in the middle of slices whose results nobody wants
    scene = make_scene(learners=6)
    slow_down(3)
    worker = start_worker()
    reset = scene.request()
    until(lambda: ask("SELECT count(*) FROM reset_slice WHERE attempts > 0"))
    # When it loses its broker, and ends them
    for connections in ("normal", "pubsub"):
        redis_server.execute_command("CLIENT", "KILL", "TYPE", connections, "SKIPME", "yes")
    until(lambda: "after a connection loss" in worker.log.read_text())
    run("DROP FUNCTION dawdle CASCADE")
    until(lambda: report_of(reset)["done"], 60)
    # Then nothing in the results says that they are still to be done
    until(lambda: rows("SELECT task_id, status FROM celery_taskmeta") == [(str(reset), "SUCCESS")])
