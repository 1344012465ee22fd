"""A long-lived worker: later resets work like the first."""

from tests.post import Post
from tests.scenes import make_scene, state_of


def test_a_worker_that_has_run_many_resets_runs_another(post: Post) -> None:
    # psycopg prepares a statement at its fifth use; five uses later, PostgreSQL may choose a generic plan.
    scene = make_scene(learners=30)
    resets = []
    for user in scene.users():
        resets.append(scene.request(audience="users", users=[user.id]))
        post.drain()

    assert {state_of(reset) for reset in resets} == {"succeeded"}
