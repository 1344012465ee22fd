"""Separate queues and workers: the reset of one learner does not wait for a large one."""

from collections.abc import Callable

from models.resets import Audience
from tasks.app import app
from tests.scenes import alerts, make_scene, report_of, run, slow_down, state_of
from tests.workers import Worker, until


def test_a_reset_of_one_learner_ends_while_one_of_20_000_still_runs(
    start_worker: Callable[..., Worker],
) -> None:
    # Given a worker for each queue, and a running reset of 20,000 learners
    for queue in ("interactive", "bulk", "notify"):
        start_worker(beat=False, queues=queue)
    company = make_scene("company", learners=20_000, completed=50, begun=50)
    school = make_scene("school", learners=3, completed=1_000_000)
    slow_down(0.2)
    large = company.request()
    until(lambda: report_of(large)["progress"]["unchanged"] > 0)
    # When one learner is reset
    learner = school.users()[0]
    small = school.request(audience=Audience.USERS, users=[learner.email])
    app.AsyncResult(str(small)).get(timeout=60)
    until(lambda: report_of(small)["done"])
    seen = report_of(large)
    # Then that reset and its alert are done before the large one is half done
    assert state_of(large) == "running"
    assert seen["progress"]["unchanged"] < 10_000
    assert report_of(small)["progress"] == {
        "total": 1,
        "cleared": 1,
        "unchanged": 0,
        "skipped": 0,
        "failed": 0,
        "waiting": 0,
    }
    assert alerts(small) == {learner.id: ("sent", None)}
    # … which also ends
    run("DROP FUNCTION dawdle CASCADE")
    app.AsyncResult(str(large)).get(timeout=60)
    assert report_of(large)["progress"]["failed"] == 0
