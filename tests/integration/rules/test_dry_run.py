"""Dry runs: what they foresee is what then happens."""

from datetime import UTC, datetime, timedelta

import pytest

from models.retraining import Rule
from models.session import transaction
from tasks.rules.dry_run import Ahead, dry_run
from tasks.rules.terms import terms_of
from tests.post import Post
from tests.rules import CALENDAR, EVENT, ROLLING, at, completed, group, make, occurrences, tick
from tests.scenes import Scene, ask, make_scene, rows

JANUARY = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def scene(database: str) -> Scene:
    return make_scene(learners=20, completed=100)


def ahead_of(scene: Scene, rule_id: object, moment: datetime) -> list[Ahead]:
    with at(moment), transaction() as session:
        return dry_run(session, scene.organization.id, terms_of(session, session.get_one(Rule, rule_id)))


def test_the_next_twelve_of_a_calendar_rule_and_whom_they_would_reset(scene: Scene) -> None:
    people = [user.email for user in scene.users()[:7]]
    group(scene, "bern", people)
    rule = make(scene, JANUARY, **CALENDAR | {"recurrence": "FREQ=MONTHLY"}, starts="2020-01-31T06:00", group="bern",
                audience="group")  # fmt: skip
    ahead = ahead_of(scene, rule, JANUARY)
    # Months that have no 31st are passed over, as RFC 5545 says; the dry run is where one sees it.
    assert [one.due_at.month for one in ahead if one.due_at] == [1, 3, 5, 7, 8, 10, 12, 1, 3, 5, 7, 8]
    assert {one.learners for one in ahead} == {7}
    assert {len(one.names) for one in ahead} == {5}


def test_what_a_dry_run_of_a_rolling_rule_foresees_comes_true(scene: Scene, post: Post) -> None:
    for number, enrolment in enumerate(scene.enrolments()):
        completed(enrolment.id, datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=number * number))
    rule = make(scene, JANUARY, **ROLLING, time_zone="Europe/Zurich")
    ahead = ahead_of(scene, rule, JANUARY)
    assert len(ahead) == 12
    for one in ahead:
        assert one.due_at
        tick(one.due_at)
        post.drain()
    foreseen = [(one.due_at, one.learners) for one in ahead]
    query = "SELECT due_at, count(*) FROM occurrence WHERE rule_id = :rule GROUP BY 1 ORDER BY 1"
    assert rows(query, rule=rule) == foreseen


def test_a_dry_run_changes_nothing(scene: Scene) -> None:
    rule = make(scene, JANUARY, **EVENT)
    before = ask("SELECT count(*) FROM audit")
    assert [(one.due_at, one.learners) for one in ahead_of(scene, rule, JANUARY)] == [(None, 20)]
    assert ask("SELECT count(*) FROM audit") == before
    assert occurrences(rule) == []
    assert ask("SELECT count(*) FROM reset") == 0
