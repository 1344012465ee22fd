"""Separate queues with workers of their own: who waits for one learner does not wait for a whole company."""

from collections.abc import Callable

from models.resets import Audience
from tasks.app import app
from tests.scenes import alerts, make_scene, report_of, run, slow_down, state_of
from tests.workers import Worker, until


def test_a_reset_of_one_learner_is_done_while_one_of_20_000_is_still_under_way(
    start_worker: Callable[..., Worker],
) -> None:
    # Given a worker for each queue, and the reset of a course of 20,000 well under way
    for queue in ("interactive", "bulk", "notify"):
        start_worker(beat=False, queues=queue)
    company = make_scene("company", learners=20_000, completed=50, begun=50)
    school = make_scene("school", learners=3, completed=1_000_000)
    slow_down(0.2)
    large = company.request()
    until(lambda: report_of(large)["progress"]["unchanged"] > 0)
    # When somebody resets one learner
    learner = school.users()[0]
    small = school.request(audience=Audience.USERS, users=[learner.email])
    app.AsyncResult(str(small)).get(timeout=60)
    until(lambda: report_of(small)["done"])
    seen = report_of(large)
    # Then that is done, with its alert, before the large one is half through
    assert state_of(large) == "running"
    assert seen["progress"]["unchanged"] < 10_000
    assert report_of(small)["progress"] == {"total": 1, "cleared": 1, "unchanged": 0, "skipped": 0, "failed": 0}
    assert alerts(small) == {learner.id: ("sent", None)}
    # … which goes on and ends as well
    run("DROP FUNCTION dawdle CASCADE")
    app.AsyncResult(str(large)).get(timeout=60)
    assert report_of(large)["progress"]["failed"] == 0
