"""A worker that lives long: what is right for its first reset is right for its hundredth."""

from tests.post import Post
from tests.scenes import make_scene, state_of


def test_a_worker_that_has_run_many_resets_runs_another(post: Post) -> None:
    # The driver prepares a statement at its fifth use, and PostgreSQL may plan it without its values five uses later.
    scene = make_scene(learners=30)
    resets = []
    for user in scene.users():
        resets.append(scene.request(audience="users", users=[user.id]))
        post.drain()

    assert {state_of(reset) for reset in resets} == {"succeeded"}
