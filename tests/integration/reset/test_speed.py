"""How fast a reset goes and how long it still takes, where that can be known."""

from uuid import UUID

import pytest

from models.access import console_operator
from models.people import Organization
from models.resets import Reset
from models.session import transaction
from tasks.reset.pause import pause_reset
from tasks.speed import left_in_words
from tests.post import Post
from tests.scenes import make_scene, report_of, run

NOTHING = (None, None)


@pytest.fixture
def reset(post: Post) -> UUID:
    """A reset of 250 learners in slices of 25, of which four were settled within the last ten seconds."""
    scene = make_scene(learners=250, completed=1000)
    reset = scene.request()
    [coordinator] = post.take()
    post.deliver(coordinator)
    for letter in post.take()[:4]:
        post.deliver(letter)
    run("UPDATE reset_slice SET published_at = now() - interval '10 s' WHERE published_at IS NOT NULL")
    return reset


def speed(reset: UUID) -> tuple[float | None, float | None]:
    seen = report_of(reset)
    return seen["learners_per_second"], seen["seconds_left"]


@pytest.mark.usefixtures("small_slices")
def test_the_time_left_follows_from_what_was_settled_lately(reset: UUID, post: Post) -> None:
    assert speed(reset) == (pytest.approx(10, rel=0.1), pytest.approx(15, rel=0.1))
    # What was settled long ago says nothing about now
    run("UPDATE reset_slice SET settled_at = now() - interval '1 min' WHERE number % 2 = 0 AND settled_at IS NOT NULL")
    assert speed(reset) == (pytest.approx(5, rel=0.1), pytest.approx(30, rel=0.1))
    # … and a moment is too short to tell
    run("UPDATE reset_slice SET published_at = now() WHERE published_at IS NOT NULL")
    assert speed(reset) == NOTHING
    post.drain()
    assert speed(reset) == NOTHING


@pytest.mark.usefixtures("small_slices")
def test_no_time_left_is_told_where_it_depends_on_something_else(reset: UUID) -> None:
    def told(statement: str) -> tuple[float | None, float | None]:
        run(statement)
        return speed(reset)

    known = pytest.approx(10, rel=0.2)
    assert told("UPDATE reset SET participants = '{1}'") == (known, None)
    assert told("UPDATE reset SET participants = '{}'") == (known, pytest.approx(15, rel=0.2))
    assert told("UPDATE reset_slice SET held = true, published_at = NULL WHERE number = 10") == (known, None)
    run("UPDATE reset_slice SET held = false")
    assert speed(reset)[1] is not None
    with transaction() as session:
        found = session.get_one(Reset, reset)
        pause_reset(session, console_operator(session.get_one(Organization, found.organization_id)), found, "why")
    assert speed(reset) == NOTHING


def test_a_time_left_is_told_in_plain_words() -> None:
    assert [left_in_words(seconds) for seconds in (0, 59, 60, 119, 5400, 5500, 9000)] == [
        "less than a minute left", "less than a minute left", "about 1 minute left", "about 2 minutes left",
        "about 90 minutes left", "about 2 hours left", "about 2 hours left",
    ]  # fmt: skip
