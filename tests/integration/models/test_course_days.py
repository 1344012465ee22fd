"""Completion over time: counts by day that stay true after a reset, and say nothing about a single person."""

from datetime import UTC, date, datetime, timedelta

import pytest

from models.course_days import FEWEST, Day, completion_over_time
from models.people import User
from models.session import transaction
from tasks.app import app
from tasks.people.erase import erase
from tests.post import Post
from tests.scenes import Scene, ask, fail_for, let_all_pass, make_scene, rows, run

pytestmark = pytest.mark.usefixtures("database")

TODAY = datetime.now(UTC).date()


def day(ago: int) -> date:
    return TODAY - timedelta(days=ago)


def count() -> None:
    app.tasks["recourse.tidy"]()


def series(scene: Scene, since: date | None = None) -> dict[int, tuple[int, ...]]:
    """Returns assigned, completed, due, overdue and learners reset, by how many days ago."""
    with transaction() as session:
        found: list[Day] = completion_over_time(session, scene.course, since)
    return {
        (TODAY - one.day).days: (one.assigned, one.completed, one.due, one.overdue, one.learners_reset) for one in found
    }


def past(scene: Scene, number: int, **moments: int | None) -> None:
    """Set times of a learner's enrolment, in days ago."""
    values = {name: None if ago is None else datetime.now(UTC) - timedelta(days=ago) for name, ago in moments.items()}
    sets = ", ".join(f"{name} = :{name}" for name in values)
    if moments.get("completed_at"):
        sets += ", state = 'completed', progress = 100"
    run(f"UPDATE enrolment SET {sets} WHERE id = :id", id=scene.enrolments()[number].id, **values)


def test_days_are_counted_from_the_times_of_enrolments_and_survive_a_reset(post: Post) -> None:
    scene = make_scene(learners=12, completed=0, begun=0)
    run("UPDATE enrolment SET assigned_at = now() - interval '9 days', due_at = NULL")
    for number in range(4):  # completed on the fifth day, one of them late
        past(scene, number, completed_at=5, due_at=7 if number == 0 else 3)
    past(scene, 4, due_at=4)
    past(scene, 5, unassigned_at=2)
    count()
    counted = series(scene)
    assert counted == {
        9: (12, 0, 0, 0, 0),
        8: (12, 0, 0, 0, 0),
        7: (12, 0, 1, 1, 0),
        6: (12, 0, 1, 1, 0),
        5: (12, 4, 1, 0, 0),
        4: (12, 4, 2, 1, 0),
        3: (12, 4, 5, 1, 0),
        2: (11, 4, 5, 1, 0),
        1: (11, 4, 5, 1, 0),
        0: (11, 4, 5, 1, 0),
    }
    # A reset changes today, and no day before
    scene.request()
    post.drain()
    count()
    after = series(scene)
    assert after.pop(0) == (11, 0, 0, 0, 4)  # only four had anything to reset
    assert after == {ago: figures for ago, figures in counted.items() if ago}
    assert list(series(scene, day(2))) == [2, 1, 0]


def test_a_missed_day_is_made_up_for_but_not_before_the_last_reset(post: Post) -> None:
    scene = make_scene(learners=12, completed=6)
    run("UPDATE enrolment SET assigned_at = now() - interval '9 days', completed_at = completed_at - interval '8 days'")
    count()
    run("DELETE FROM course_day WHERE day > :day", day=day(5))
    count()
    assert list(series(scene)) == list(range(9, -1, -1))
    scene.request()
    post.drain()
    run("DELETE FROM course_day")
    run("UPDATE enrolment SET reset_at = now() - interval '3 days'")
    count()
    assert list(series(scene)) == [3, 2, 1, 0]


@pytest.mark.parametrize("begins", ["a reset", "an erasure", "a retry"])
def test_what_begins_just_after_midnight_keeps_the_day_before(post: Post, begins: str) -> None:
    # Given days that are counted up to the day before yesterday: `tidy` has not run since midnight
    scene = make_scene(learners=12, completed=6)
    run("UPDATE enrolment SET assigned_at = now() - interval '9 days', completed_at = completed_at - interval '8 days'")
    reset = None
    if begins == "a retry":
        fail_for(scene.enrolments()[0])
        reset = scene.request()
        post.drain()
        let_all_pass()
        run("UPDATE enrolment SET reset_at = reset_at - interval '3 days'")
        run("DELETE FROM course_day")
    count()
    before = series(scene)
    run("DELETE FROM course_day WHERE day > :day", day=day(2))
    # When
    if reset is not None:
        scene.retry_failed(reset)
    elif begins == "an erasure":
        with transaction() as session:
            user = session.get_one(User, scene.enrolments()[0].user_id)
            erase(session, scene.admin, user, confirm=user.email)
    else:
        scene.request()
    post.drain()
    count()
    # Then
    after = series(scene)
    assert after.pop(0) != before.pop(0)
    assert after == before
    assert 1 in after


def test_a_day_that_ended_amid_a_reset_is_left_out_and_looked_at_once(post: Post) -> None:
    scene = make_scene(learners=12, completed=6)
    run("UPDATE enrolment SET assigned_at = now() - interval '9 days', completed_at = completed_at - interval '8 days'")
    scene.request()
    post.drain()
    # Given that it began yesterday, when yesterday was not counted yet
    run("DELETE FROM course_day WHERE day = :day", day=day(1))
    count()
    assert list(series(scene)) == [9, 8, 7, 6, 5, 4, 3, 2, 0]
    assert rows("SELECT day FROM course_day WHERE assigned = 0") == [(day(1),)]
    # And the days after it are counted
    run("UPDATE course_day SET day = day - 1")
    run("UPDATE enrolment SET reset_at = reset_at - interval '1 day'")
    count()
    assert list(series(scene)) == [10, 9, 8, 7, 6, 5, 4, 3, 1, 0]


def test_too_few_learners_are_never_counted_and_old_days_are_deleted() -> None:
    scene = make_scene(learners=FEWEST - 1)
    run("UPDATE enrolment SET assigned_at = now() - interval '9 days'")
    count()
    assert series(scene) == {}
    assert ask("SELECT count(*) FROM course_day") == 0
    other = make_scene("globex", learners=FEWEST)
    run("UPDATE enrolment SET assigned_at = now() - interval '2000 days'")
    count()
    assert (len(series(other)), len(series(scene))) == (1095, 0)
    run("UPDATE course_day SET day = day - 2000")
    count()
    assert rows("SELECT min(day) >= :first FROM course_day", first=day(1095)) == [(True,)]
