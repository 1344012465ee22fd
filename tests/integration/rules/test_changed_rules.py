"""Rules that are changed: what was planned follows the new terms, and nobody is reset or warned twice."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from models.refusals.rules import RuleChanged, RuleInvalid
from models.retraining import Rule
from models.session import transaction
from tasks.rules.change import CHANGED
from tasks.rules.lifecycle import confirm_again
from tasks.rules.proposals import propose_with
from tests.rules import CALENDAR, ROLLING, at, change, completed, make, occurrences, rule_of, tick
from tests.scenes import COURSE, Scene, ask, make_scene
from tests.web import form_token, visitor

NOW = datetime(2031, 2, 20, tzinfo=UTC)
MARCH, APRIL = datetime(2031, 3, 1, 6, tzinfo=UTC), datetime(2031, 4, 1, 6, tzinfo=UTC)


@pytest.fixture
def scene(database: str) -> Scene:
    return make_scene(learners=4, completed=100)


def edit(scene: Scene, rule: UUID, moment: datetime, **changes: Any) -> None:
    with at(moment), transaction() as session:
        proposal = propose_with(session, scene.admin, session.get_one(Rule, rule), changes)
        confirm_again(session, scene.admin, proposal=proposal.token, confirm=COURSE)


def test_what_was_planned_by_the_calendar_follows_the_new_one_and_comes_back_with_the_old(scene: Scene) -> None:
    rule = make(scene, NOW, **CALENDAR, starts="2031-03-01T06:00", warn_days=14)
    tick(NOW)
    assert occurrences(rule) == [(MARCH, "planned", None)]
    warned = ask("SELECT count(*) FROM notification")
    edit(scene, rule, NOW + timedelta(days=1), starts="2031-04-01T06:00", name="Spring")
    tick(NOW + timedelta(days=1))
    assert occurrences(rule) == [(MARCH, "skipped", CHANGED)]
    assert (rule_of(rule).name, rule_of(rule).starts) == ("Spring", APRIL.replace(tzinfo=None))
    edit(scene, rule, NOW + timedelta(days=2), starts="2031-03-01T06:00")
    tick(NOW + timedelta(days=2))
    assert occurrences(rule) == [(MARCH, "planned", None)]
    assert ask("SELECT count(*) FROM notification") == warned, "nobody is warned twice"


def test_a_rolling_rule_plans_learners_again_by_its_new_months(scene: Scene) -> None:
    one = scene.enrolments()[0].id
    for enrolment in scene.enrolments():
        completed(enrolment.id, None)
    completed(one, datetime(2030, 3, 1, 12, tzinfo=UTC))
    rule = make(scene, NOW, **ROLLING, at_time="06:00", warn_days=20)
    tick(NOW)
    assert occurrences(rule) == [(MARCH, "planned", None)]
    edit(scene, rule, NOW, months=13)
    edit(scene, rule, NOW + timedelta(days=20), warn_days=21)
    tick(NOW + timedelta(days=20))
    assert occurrences(rule) == [(MARCH, "skipped", CHANGED), (APRIL, "planned", None)]


def test_a_paused_rule_stays_paused_and_a_stale_proposal_changes_nothing(scene: Scene) -> None:
    rule = make(scene, NOW, **CALENDAR, starts="2031-03-01T06:00")
    change(scene, "pause", rule, NOW)
    with at(NOW), transaction() as session:
        stale = propose_with(session, scene.admin, session.get_one(Rule, rule), {"warn_days": 3}).token
    edit(scene, rule, NOW + timedelta(minutes=1), warn_days=7)
    assert (rule_of(rule).state, rule_of(rule).warn_days) == ("paused", 7)
    with at(NOW + timedelta(minutes=2)), transaction() as session, pytest.raises(RuleChanged):
        confirm_again(session, scene.admin, proposal=stale, confirm=COURSE)
    for wrong in ({"course": "DATA-202"}, {"warn_days": 1000}, {"recurrence": None}):
        with pytest.raises(RuleInvalid):
            edit(scene, rule, NOW, **wrong)


def test_a_change_that_someone_else_was_quicker_with_can_be_made_again(scene: Scene, served: str) -> None:
    rule = make(scene, datetime.now(UTC), **CALENDAR, starts="2031-03-01T06:00")
    with transaction() as session:
        mine = {"warn_days": 3, "name": "What I typed"}
        stale = propose_with(session, scene.admin, session.get_one(Rule, rule), mine).token
    edit(scene, rule, datetime.now(UTC), warn_days=7)
    with visitor(served, scene.admin.user_id) as browser:
        form = {"csrf": form_token(browser.get("/rules/new")), "proposal": stale, "confirm": COURSE}
        answer = browser.post(f"/rules/{rule}/confirm", data=form)
    assert answer.status_code == 409
    assert "Someone else has confirmed or changed this rule" in answer.text
    assert 'value="What I typed"' in answer.text
