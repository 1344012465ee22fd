"""A dry run predicts what happens."""

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import tzdata

from models.retraining import Rule
from models.session import transaction
from tasks.rules.dry_run import Ahead, dry_run
from tasks.rules.next_due import next_due_of
from tasks.rules.terms import terms_of
from tests.post import Post
from tests.rules import CALENDAR, EVENT, ROLLING, at, completed, group, make, occurrences, tick
from tests.scenes import Scene, ask, make_scene, rows

JANUARY = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def scene(database: str) -> Scene:
    return make_scene(learners=20, completed=100)


@pytest.fixture
def new_zone(tmp_path: Path) -> Iterator[str]:
    """A time zone, 13 hours ahead of UTC, that a newer release of the IANA database brings: PostgreSQL lacks it."""
    (tmp_path / "Pacific").mkdir()
    (tmp_path / "Pacific" / "Newland").write_bytes((Path(tzdata.__path__[0]) / "zoneinfo/Pacific/Apia").read_bytes())
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([str(tmp_path), *before])
    yield "Pacific/Newland"
    zoneinfo.reset_tzpath(before)
    zoneinfo.ZoneInfo.clear_cache()


def ahead_of(scene: Scene, rule_id: object, moment: datetime) -> list[Ahead]:
    with at(moment), transaction() as session:
        return dry_run(session, scene.organization.id, terms_of(session, session.get_one(Rule, rule_id)))


def test_the_next_twelve_occurrences_of_a_calendar_rule_and_their_learners(scene: Scene) -> None:
    people = [user.email for user in scene.users()[:7]]
    group(scene, "bern", people)
    rule = make(scene, JANUARY, **CALENDAR | {"recurrence": "FREQ=MONTHLY"}, starts="2020-01-31T06:00", group="bern",
                audience="group")  # fmt: skip
    ahead = ahead_of(scene, rule, JANUARY)
    # RFC 5545 skips months without a 31st. The dry run is where a person notices.
    assert [one.due_at.month for one in ahead if one.due_at] == [1, 3, 5, 7, 8, 10, 12, 1, 3, 5, 7, 8]
    assert {one.learners for one in ahead} == {7}
    assert {len(one.names) for one in ahead} == {5}


def test_the_dry_run_of_a_rolling_rule_comes_true(scene: Scene, post: Post) -> None:
    for number, enrolment in enumerate(scene.enrolments()):
        completed(enrolment.id, datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=number * number))
    rule = make(scene, JANUARY, **ROLLING, time_zone="Europe/Zurich")
    ahead = ahead_of(scene, rule, JANUARY)
    assert len(ahead) == 12
    for one in ahead:
        assert one.due_at
        tick(one.due_at)
        post.drain()
    predicted = [(one.due_at, one.learners) for one in ahead]
    query = "SELECT due_at, count(*) FROM occurrence WHERE rule_id = :rule GROUP BY 1 ORDER BY 1"
    assert rows(query, rule=rule) == predicted


def test_due_days_do_not_depend_on_the_time_zones_of_the_database(scene: Scene, new_zone: str) -> None:
    # Given completions on both sides of local midnight, which is at 11:00 UTC
    for number, enrolment in enumerate(scene.enrolments()):
        completed(enrolment.id, datetime(2025, 1, 9, 10 + number % 2, 30, tzinfo=UTC))
    rule = make(scene, JANUARY, **ROLLING, time_zone=new_zone)
    # Then the dry run counts them by local days, and the list of rules and the ticks agree with it
    ahead = ahead_of(scene, rule, JANUARY)
    ninth, tenth = datetime(2026, 1, 8, 17, tzinfo=UTC), datetime(2026, 1, 9, 17, tzinfo=UTC)
    assert [(one.due_at, one.learners) for one in ahead] == [(ninth, 10), (tenth, 10)]
    with at(JANUARY), transaction() as session:
        found = session.get_one(Rule, rule)
        assert next_due_of(session, found, terms_of(session, found)) == ninth
    tick(tenth)
    query = "SELECT due_at, count(*) FROM occurrence WHERE rule_id = :rule GROUP BY 1 ORDER BY 1"
    assert rows(query, rule=rule) == [(ninth, 10), (tenth, 10)]


def test_the_last_day_of_a_short_month_counts_the_days_that_it_lacks(scene: Scene) -> None:
    # Given one completion each day from 27 to 31 August, and on 1 September
    for number, enrolment in enumerate(scene.enrolments()):
        completed(enrolment.id, datetime(2025, 8, 27, 12, tzinfo=UTC) + timedelta(days=number) if number < 6 else None)
    rule = make(scene, JANUARY, **ROLLING | {"months": 6})
    assert [(one.due_at, one.learners, len(one.names)) for one in ahead_of(scene, rule, JANUARY)] == [
        (datetime(2026, 2, 27, 6, tzinfo=UTC), 1, 1),
        (datetime(2026, 2, 28, 6, tzinfo=UTC), 4, 4),
        (datetime(2026, 3, 1, 6, tzinfo=UTC), 1, 1),
    ]


def test_a_dry_run_for_a_group_counts_its_members_only(scene: Scene) -> None:
    group(scene, "bern", [user.email for user in scene.users()[:7]])
    for enrolment in scene.enrolments():
        completed(enrolment.id, datetime(2025, 2, 1, tzinfo=UTC))
    rule = make(scene, JANUARY, **ROLLING, group="bern", audience="group")
    assert [one.learners for one in ahead_of(scene, rule, JANUARY)] == [7]


def test_a_dry_run_changes_nothing(scene: Scene) -> None:
    rule = make(scene, JANUARY, **EVENT)
    before = ask("SELECT count(*) FROM audit")
    assert [(one.due_at, one.learners) for one in ahead_of(scene, rule, JANUARY)] == [(None, 20)]
    assert ask("SELECT count(*) FROM audit") == before
    assert occurrences(rule) == []
    assert ask("SELECT count(*) FROM reset") == 0
