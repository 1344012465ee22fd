"""Retraining rules: confirmed once, they reset courses by themselves."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.access import Actor, Permission, acting_user, console_operator
from models.preferences import AlertLevel
from models.refusals.access import Forbidden
from models.refusals.base import Refused
from models.refusals.organizations import TimeZoneUnknown
from models.refusals.resets import AudienceInvalid, ConfirmMismatch, PlanExpired, PlanInvalid
from models.refusals.rules import BrakeHolds, RuleInvalid, RuleStateConflict
from models.resets import Audience
from models.retraining import Rule
from models.session import transaction
from tasks.people.preferences import set_level
from tasks.rules.lifecycle import confirm_again, make_rule
from tasks.rules.proposals import propose_again, propose_rule
from tasks.rules.terms import Terms, in_sentences, terms_of
from tests.post import Post
from tests.rules import (
    CALENDAR,
    EVENT,
    ONCE,
    ROLLING,
    SKIP,
    at,
    change,
    completed,
    confirm,
    group,
    happen,
    make,
    occurrences,
    rule_of,
    tick,
)
from tests.scenes import COURSE, Scene, alerts, ask, make_scene, rows, run, state_of

pytestmark = pytest.mark.usefixtures("database")

# In the past, so that everyone is assigned by then: the database decides that by its own clock.
JANUARY = datetime(2026, 1, 2, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, 5, tzinfo=UTC)  # 6 o'clock in Zurich
YEARLY = CALENDAR | {"starts": "2020-03-01T06:00", "time_zone": "Europe/Zurich"}
MONTHLY = YEARLY | {"recurrence": "FREQ=MONTHLY"}
MOMENT = timedelta(seconds=1)
YEAR = timedelta(days=365)


@pytest.fixture
def scene(database: str) -> Scene:
    return make_scene(learners=20, completed=100)


def resets() -> list[Any]:
    return rows("SELECT id, audience, requester, requested_by, reason FROM reset ORDER BY requested_at, id")


# Making


def test_a_calendar_rule_resets_the_course_when_it_is_due_and_not_before(scene: Scene, post: Post) -> None:
    rule = make(scene, JANUARY, **YEARLY)
    tick(MARCH - MOMENT)
    assert occurrences(rule) == []
    tick(MARCH)
    assert occurrences(rule) == [(MARCH, "requested", None)]
    [(reset, audience, requester, requested_by, reason)] = resets()
    assert (audience, reason) == ("assigned", "yearly recertification")
    # The audit names the rule, and its owner is responsible.
    assert (requester, requested_by) == (f"rule:{rule}", scene.admin.user_id)
    assert ask("SELECT actor FROM audit WHERE action = 'reset.requested'") == f"rule:{rule}"

    # The occurrence is settled when its reset is.
    tick(MARCH + MOMENT)
    assert occurrences(rule) == [(MARCH, "requested", None)]
    post.drain()
    tick(MARCH + 2 * MOMENT)
    assert occurrences(rule) == [(MARCH, "settled", None)]
    assert state_of(reset) == "succeeded"
    assert rule_of(rule).look_at == datetime(2027, 3, 1, 5, tzinfo=UTC)


def test_the_rule_keeps_who_confirmed_it_when_and_what_was_shown(scene: Scene) -> None:
    rule = rule_of(make(scene, JANUARY, **YEARLY))
    assert (rule.owner_id, rule.owner, rule.confirmed_at) == (scene.admin.user_id, scene.admin.name, JANUARY)
    assert rule.confirmed_reach == 20
    shown = rule.confirmed_preview
    assert (shown["learners"], shown["completions"], shown["alerts"]) == (20, 20, 18)
    assert shown["removed"]["lesson_progress"] == 40
    [(actor, details)] = rows("SELECT actor, details FROM audit WHERE action = 'rule.made'")
    assert actor == scene.admin.name
    assert details["confirmed"] == shown
    assert details["terms"]["recurrence"] == "FREQ=YEARLY"


def test_a_proposal_makes_one_rule_however_often_it_is_confirmed(scene: Scene) -> None:
    with at(JANUARY), transaction() as session:
        token = propose_rule(session, scene.admin, Terms(course=COURSE, reason="r", **YEARLY)).token
    for _ in range(2):
        with at(JANUARY), transaction() as session:
            make_rule(session, scene.admin, proposal=token, confirm=COURSE)
    assert ask("SELECT count(*) FROM retraining_rule") == 1
    assert ask("SELECT count(*) FROM audit WHERE action = 'rule.made'") == 1


def test_a_rule_needs_a_current_proposal_the_course_code_and_the_permission(scene: Scene) -> None:
    other = make_scene("globex", learners=1)
    with at(JANUARY), transaction() as session:
        token = propose_rule(session, scene.admin, Terms(course=COURSE, reason="r", **YEARLY)).token
        again = propose_rule(session, scene.admin, Terms(course=COURSE, reason="r", **YEARLY)).token
    nobody = Actor(scene.organization.id, "user:0", scene.admin.user_id, frozenset())
    refused = [
        (Forbidden, JANUARY, nobody, token, COURSE),
        (ConfirmMismatch, JANUARY, scene.admin, token, COURSE.lower()),
        (PlanInvalid, JANUARY, other.admin, token, COURSE),
        (PlanInvalid, JANUARY, scene.admin, token[:-2], COURSE),
        (PlanExpired, JANUARY + timedelta(minutes=16), scene.admin, again, COURSE),
    ]
    for refusal, when, actor, proposal, typed in refused:
        with pytest.raises(refusal), at(when), transaction() as session:
            make_rule(session, actor, proposal=proposal, confirm=typed)
    with pytest.raises(Forbidden), transaction() as session:
        propose_rule(session, nobody, Terms(course=COURSE, reason="r", **YEARLY))
    assert ask("SELECT count(*) FROM retraining_rule") == 0


@pytest.mark.parametrize(
    ("terms", "refusal"),
    [
        (YEARLY | {"time_zone": "Mars/Olympus"}, TimeZoneUnknown),
        (YEARLY | {"months": 3}, RuleInvalid),
        (YEARLY | {"recurrence": None}, RuleInvalid),
        (YEARLY | {"audience": "users"}, RuleInvalid),
        (YEARLY | {"audience": "group"}, AudienceInvalid),
        (YEARLY | {"group": "bern"}, AudienceInvalid),
        (ONCE | {"starts": "2025-12-31T23:59"}, RuleInvalid),
        (ONCE | {"starts": "2026-03-01T06:00", "recurrence": "FREQ=DAILY"}, RuleInvalid),
        (ROLLING | {"months": None}, RuleInvalid),
        (ROLLING | {"months": 1, "warn_days": 28}, RuleInvalid),
        (EVENT | {"audience": "completed"}, RuleInvalid),
        (EVENT | {"starts": "2026-03-01T06:00"}, RuleInvalid),
    ],
)
def test_terms_that_do_not_fit_together_are_refused(scene: Scene, terms: Any, refusal: type[Refused]) -> None:
    with pytest.raises(refusal), at(JANUARY), transaction() as session:
        propose_rule(session, scene.admin, Terms(**{"course": COURSE, "reason": "r"} | terms))


def test_a_rule_is_described_in_plain_sentences(scene: Scene) -> None:
    group(scene, "bern", [])
    terms = (
        YEARLY | {"audience": "group", "group": "bern", "warn_days": 14, "due_in_days": 30, "most_a_day": 500} | SKIP
    )
    rule = rule_of(make(scene, JANUARY, **terms))
    with transaction() as session:
        sentences = " ".join(in_sentences(terms_of(session, session.get_one(Rule, rule.id))))
    assert sentences == (
        "FIRE-101 is reset for the members of bern: each year on 1 March at 06:00 (Europe/Zurich). Resets cannot be "
        "undone. Learners are warned 14 days before. The new due date is 30 days after the reset. Learners are alerted "
        "that the course is assigned again. It resets at most 500 learners a day; the rest wait for the next day. If "
        "its audience grows by more than half, it waits to be confirmed again. Missed runs are skipped."
    )


# Due times


def test_a_one_time_rule_runs_once(scene: Scene, post: Post) -> None:
    rule = make(scene, JANUARY, **ONCE, starts="2026-03-01T06:00", time_zone="Europe/Zurich")
    for moment in (MARCH, MARCH + MOMENT, MARCH + timedelta(days=1), MARCH + timedelta(days=800)):
        tick(moment)
        post.drain()
    assert occurrences(rule) == [(MARCH, "settled", None)]
    assert len(resets()) == 1
    assert rule_of(rule).state == "ended"


def test_a_past_date_never_fires(scene: Scene) -> None:
    calendar = make(scene, MARCH + MOMENT, **YEARLY)
    rolling = make(scene, JANUARY, **ROLLING, time_zone="UTC")
    for enrolment in scene.enrolments():  # due in December
        completed(enrolment.id, datetime(2024, 12, 31, 12, tzinfo=UTC))
    for day in range(40):
        tick(MARCH + timedelta(days=day))
    assert occurrences(calendar) == occurrences(rolling) == resets() == []


def test_a_rolling_rule_is_due_for_each_learner_by_their_own_completion(scene: Scene, post: Post) -> None:
    one, two, three, *others = scene.enrolments()
    completed(one.id, datetime(2025, 1, 9, 23, 30, tzinfo=UTC))  # on the 10th, in Zurich
    completed(two.id, datetime(2025, 1, 10, 22, 30, tzinfo=UTC))  # too
    completed(three.id, datetime(2025, 1, 10, 23, 30, tzinfo=UTC))  # on the 11th
    for other in others:
        completed(other.id, datetime(2025, 6, 1, tzinfo=UTC))
    rule = make(scene, JANUARY, **ROLLING, time_zone="Europe/Zurich", at_time="06:00")
    tenth = datetime(2026, 1, 10, 5, tzinfo=UTC)
    tick(tenth - MOMENT)
    assert occurrences(rule) == []
    tick(tenth)
    assert rows("SELECT enrolment_id, due_at FROM occurrence ORDER BY 1") == [(one.id, tenth), (two.id, tenth)]
    assert rows("SELECT audience, user_ids FROM reset") == [("users", [one.user_id, two.user_id])]
    post.drain()
    tick(tenth + timedelta(days=1))
    post.drain()
    tick(tenth + timedelta(days=2))
    assert rows("SELECT enrolment_id, due_at, state FROM occurrence ORDER BY 1") == [
        (one.id, tenth, "settled"),
        (two.id, tenth, "settled"),
        (three.id, tenth + timedelta(days=1), "settled"),
    ]
    assert [one.state for one in scene.enrolments()] == ["assigned"] * 3 + ["completed"] * 17


def test_a_reset_takes_a_thousand_named_learners_and_the_next_reset_takes_the_rest(post: Post) -> None:
    scene = make_scene(learners=1001, completed=100)
    run("UPDATE enrolment SET completed_at = '2025-02-01', assigned_at = '2025-01-01'")
    rule = make(scene, JANUARY, **ROLLING)
    tick(datetime(2026, 2, 1, 6, tzinfo=UTC))
    assert rows("SELECT cardinality(user_ids) FROM reset ORDER BY 1") == [(1,), (1000,)]
    assert rows("SELECT state, count(*) FROM occurrence GROUP BY 1") == [("requested", 1001)]
    post.drain()
    tick(datetime(2026, 2, 1, 7, tzinfo=UTC))
    assert rows("SELECT state, count(*) FROM occurrence GROUP BY 1") == [("settled", 1001)]
    assert rule_of(rule).state == "active"


def test_an_event_makes_matching_rules_due(scene: Scene, post: Post) -> None:
    people = [user.email for user in scene.users()[:5]]
    group(scene, "bern", people)
    group(scene, "lyon", [])
    anything = make(scene, JANUARY, **EVENT)
    incident = make(scene, JANUARY, **EVENT, event_kind="incident", audience="group", group="bern")
    changed = make(scene, JANUARY, **EVENT, event_kind="procedure_changed")
    event = happen(scene, MARCH, "7731", group="bern")
    assert [occurrences(rule) for rule in (anything, incident, changed)] == [
        [(MARCH, "planned", None)],
        [(MARCH, "planned", None)],
        [],
    ]
    tick(MARCH + MOMENT)
    assert (
        rows("SELECT audience, group_id = :bern, reason FROM reset", bern=event.group_id)
        == [("group", True, "incident: press 4, hand injury")] * 2
    )
    post.drain()
    tick(MARCH + timedelta(minutes=2))
    assert {state for _, state, _ in occurrences(anything) + occurrences(incident)} == {"settled"}
    assert [one.state for one in scene.enrolments()] == ["assigned"] * 5 + ["completed"] * 15
    # An event for another group does not make the group's rule due.
    happen(scene, MARCH + timedelta(days=1), "7732", group="lyon")
    tick(MARCH + timedelta(days=1))
    assert len(occurrences(incident)) == 1
    assert occurrences(anything)[1:] == [
        (MARCH + timedelta(days=1), "skipped", "the audience was empty, or all of it exempt")
    ]


# Warnings


def test_learners_are_warned_once_a_number_of_days_before(scene: Scene, post: Post) -> None:
    rule = make(scene, JANUARY, **YEARLY, warn_days=14, due_in_days=30)
    tick(MARCH - timedelta(days=14) - MOMENT)
    assert occurrences(rule) == []
    for moment in (MARCH - timedelta(days=14), MARCH - timedelta(days=13), MARCH - MOMENT):
        tick(moment)
        assert occurrences(rule) == [(MARCH, "planned", None)]
    wanted = {user.id for user in scene.users() if user.notifications_on}
    warned = rows("SELECT user_id, kind, state FROM notification")
    assert {user for user, _, _ in warned} == wanted
    assert {(kind, state) for _, kind, state in warned} == {("retraining_ahead", "sent")}
    assert len(warned) == len(wanted)
    tick(MARCH)
    post.drain()
    [(reset, *_)] = resets()
    assert set(alerts(reset)) == wanted
    assert ask("SELECT count(*) FROM notification WHERE kind = 'retraining_ahead'") == len(wanted)
    assert ask("SELECT bool_and(due_at > now() + interval '29 days') FROM enrolment WHERE course_id = :id",
               id=scene.course.id) is True  # fmt: skip


@pytest.mark.parametrize("terms", [YEARLY, ROLLING], ids=["calendar", "rolling"])
def test_learners_who_want_no_alerts_about_the_course_get_no_warning(scene: Scene, terms: dict[str, Any]) -> None:
    # Given two learners with alerts on, one of whom wants none about this course, and one whose alerts are off
    silent, warned, *_ = [user for user in scene.users() if user.notifications_on]
    off = next(user for user in scene.users() if not user.notifications_on)
    with transaction() as session:
        set_level(session, silent.id, scene.course.id, AlertLevel.NONE)
        set_level(session, warned.id, scene.other_course.id, AlertLevel.NONE)
    for enrolment in scene.enrolments():
        completed(enrolment.id, datetime(2025, 3, 1, tzinfo=UTC))
    # When a rule warns
    make(scene, JANUARY, **terms, warn_days=14)
    tick(MARCH - timedelta(days=13))
    # Then no alert is even written for the two who want none
    written = {user for (user,) in rows("SELECT user_id FROM notification WHERE kind = 'retraining_ahead'")}
    assert warned.id in written
    assert written.isdisjoint({silent.id, off.id})
    assert len(written) == 17


def test_a_rolling_rule_warns_each_learner_before_their_own_due_time(scene: Scene) -> None:
    one, two, *others = scene.enrolments()
    completed(one.id, datetime(2025, 1, 20, tzinfo=UTC))
    completed(two.id, datetime(2025, 1, 21, tzinfo=UTC))
    for other in others:
        completed(other.id, datetime(2025, 6, 1, tzinfo=UTC))
    rule = make(scene, JANUARY, **ROLLING, warn_days=7)
    tick(datetime(2026, 1, 13, 6, tzinfo=UTC))
    assert rows("SELECT user_id FROM notification") == [(one.user_id,)]
    tick(datetime(2026, 1, 14, 6, tzinfo=UTC))
    assert rows("SELECT user_id FROM notification ORDER BY id") == [(one.user_id,), (two.user_id,)]
    # A learner who completes the course again before that is not reset for the old completion.
    completed(one.id, datetime(2026, 1, 15, tzinfo=UTC))
    tick(datetime(2026, 1, 20, 6, tzinfo=UTC))
    tick(datetime(2026, 1, 21, 6, tzinfo=UTC))
    assert [(state, reason) for _, state, reason in occurrences(rule)] == [
        ("skipped", "the course was reset, completed again or unassigned in the meantime"),
        ("requested", None),
    ]


def test_an_event_rule_can_warn_first(scene: Scene) -> None:
    rule = make(scene, JANUARY, **EVENT, warn_days=3)
    happen(scene, MARCH, "1")
    tick(MARCH + MOMENT)
    assert ask("SELECT count(*) FROM notification WHERE kind = 'retraining_ahead'") == 18
    tick(MARCH + timedelta(days=3) - MOMENT)
    assert resets() == []
    tick(MARCH + timedelta(days=3))
    assert occurrences(rule) == [(MARCH + timedelta(days=3), "requested", None)]


# After an outage


@pytest.mark.parametrize("catch_up", ["run_once", "skip"])
def test_runs_missed_in_an_outage_happen_once_or_are_skipped_as_the_rule_says(scene: Scene, catch_up: str) -> None:
    rule = make(scene, JANUARY, **MONTHLY, catch_up=catch_up)
    tick(MARCH + timedelta(days=45))  # 15 April
    months = [datetime(2026, 2, 1, 5, tzinfo=UTC), MARCH, datetime(2026, 4, 1, 4, tzinfo=UTC)]
    replaced = "replaced by the later missed run, due 2026-04-01 04:00 UTC"
    missed = "due while no worker was running; this rule skips missed runs"
    assert occurrences(rule) == (
        [(months[0], "skipped", replaced), (months[1], "skipped", replaced), (months[2], "requested", None)]
        if catch_up == "run_once"
        else [(month, "skipped", missed) for month in months]
    )
    assert len(resets()) == (1 if catch_up == "run_once" else 0)
    assert rule_of(rule).look_at == datetime(2026, 5, 1, 4, tzinfo=UTC)


def test_a_tick_that_is_a_little_late_misses_nothing(scene: Scene) -> None:
    rule = make(scene, JANUARY, **YEARLY, **SKIP)
    tick(MARCH + timedelta(minutes=50))
    assert occurrences(rule) == [(MARCH, "requested", None)]


def test_learners_who_came_due_in_an_outage_are_all_reset_in_one_reset(scene: Scene) -> None:
    for number, enrolment in enumerate(scene.enrolments()):
        completed(enrolment.id, datetime(2025, 2, 1 + number, tzinfo=UTC))
    rule = make(scene, JANUARY, **ROLLING)
    tick(datetime(2026, 3, 15, tzinfo=UTC))
    assert [(at.day, state) for at, state, _ in occurrences(rule)] == [
        (1 + number, "requested") for number in range(20)
    ]
    assert rows("SELECT cardinality(user_ids) FROM reset") == [(20,)]


# Brakes


def test_a_rule_whose_audience_grew_by_more_than_half_waits_to_be_confirmed_again(scene: Scene, post: Post) -> None:
    run("UPDATE enrolment SET unassigned_at = now() WHERE id > :first", first=scene.enrolments()[9].id)
    rule = make(scene, JANUARY - YEAR, **YEARLY)
    run("UPDATE enrolment SET unassigned_at = NULL WHERE id <= :last", last=scene.enrolments()[14].id)
    assert rule_of(rule).confirmed_reach == 10
    tick(MARCH - YEAR)  # 15 are half as many again
    assert occurrences(rule) == [(MARCH - YEAR, "requested", None)]
    post.drain()

    run("UPDATE enrolment SET unassigned_at = NULL WHERE id <= :last", last=scene.enrolments()[15].id)
    tick(MARCH)
    grown = "Its audience has grown from 10 to 16 learners since it was confirmed."
    assert occurrences(rule)[1:] == [(MARCH, "waiting", grown)]
    assert (rule_of(rule).state, rule_of(rule).waits_for) == ("waiting", grown)
    assert rows("SELECT user_id, state FROM notification WHERE kind = 'rule_waits'") == [(scene.admin.user_id, "sent")]
    assert ask("SELECT actor FROM audit WHERE action = 'rule.waits'") == f"rule:{rule}"
    tick(MARCH + timedelta(days=30))
    assert len(resets()) == 1

    confirm(scene, rule, MARCH + timedelta(days=31))
    assert rule_of(rule).confirmed_reach == 16
    tick(MARCH + timedelta(days=31))
    assert occurrences(rule)[1:] == [(MARCH, "requested", None)]
    assert rule_of(rule).state == "active"


def test_a_waiting_occurrence_goes_on_once_confirmed_even_if_missed_runs_are_skipped(scene: Scene) -> None:
    rule = make(scene, JANUARY, **YEARLY, **SKIP, most_learners=19)
    tick(MARCH)
    assert rule_of(rule).waits_for == "It would reset 20 learners at once; its limit is 19."
    with pytest.raises(BrakeHolds):
        confirm(scene, rule, MARCH + timedelta(days=3))
    confirm(scene, rule, MARCH + timedelta(days=3), most_learners=20)
    tick(MARCH + timedelta(days=3))
    assert occurrences(rule) == [(MARCH, "requested", None)]


def test_a_daily_limit_spreads_a_rolling_rule_over_days(scene: Scene, post: Post) -> None:
    run("UPDATE enrolment SET completed_at = '2025-02-01', assigned_at = '2025-01-01'")
    rule = make(scene, JANUARY, **ROLLING, **SKIP, most_a_day=8)
    day = datetime(2026, 2, 1, 6, tzinfo=UTC)
    begun = []
    for number in range(4):
        tick(day + timedelta(days=number))
        tick(day + timedelta(days=number, hours=5))
        begun.append(ask("SELECT count(*) FROM occurrence WHERE state = 'requested'"))
        if number == 0:
            postponed = "postponed to the next day: the rule's daily limit was reached"
            assert occurrences(rule).count((day, "planned", postponed)) == 12
    assert begun == [8, 16, 20, 20]
    assert rows("SELECT cardinality(user_ids) FROM reset ORDER BY requested_at") == [(8,), (8,), (4,)]


def test_a_daily_limit_postpones_an_event_to_the_next_day(scene: Scene, post: Post) -> None:
    rule = make(scene, JANUARY, **EVENT, most_a_day=30)
    for number in range(2):
        happen(scene, MARCH, f"{number}")
        tick(MARCH + timedelta(minutes=number))
        post.drain()
    tick(MARCH + timedelta(hours=2))
    assert [state for _, state, _ in occurrences(rule)] == ["settled", "planned"]
    tick(MARCH + timedelta(days=1))
    assert [state for _, state, _ in occurrences(rule)] == ["settled", "requested"]


@pytest.mark.parametrize(
    ("change_owner", "why"),
    [
        ('UPDATE "user" SET active = false WHERE id = :id', "There is no active user"),
        ("""UPDATE "user" SET permissions = '{}' WHERE id = :id""", "You need the permission"),
    ],
)
def test_a_rule_whose_owner_lost_the_permission_waits_and_says_so(scene: Scene, change_owner: str, why: str) -> None:
    rule = make(scene, JANUARY, **YEARLY)
    run(change_owner, id=scene.admin.user_id)
    tick(MARCH)
    assert resets() == []
    assert rule_of(rule).state == "waiting"
    assert why in str(rule_of(rule).waits_for)
    # The user who confirms it again becomes its owner.
    run(
        """INSERT INTO "user" (organization_id, email, name, permissions)
           VALUES (:organization, 'sam@acme.example', 'Sam', ARRAY[:one, :two])""",
        organization=scene.organization.id,
        one=Permission.COURSES.value,
        two=Permission.USERS.value,
    )
    with transaction() as session:
        sam = acting_user(session, scene.organization, "sam@acme.example")
    confirm(scene, rule, MARCH + MOMENT, sam)
    tick(MARCH + MOMENT)
    assert [(requester, user) for _, _, requester, user, _ in resets()] == [(f"rule:{rule}", sam.user_id)]


def test_a_rule_made_at_the_console_has_no_owner_who_could_lose_a_permission(scene: Scene) -> None:
    rule = make(scene, JANUARY, console_operator(scene.organization), **YEARLY)
    tick(MARCH)
    assert [(requester, user) for _, _, requester, user, _ in resets()] == [(f"rule:{rule}", None)]


def test_a_rolling_rule_also_needs_the_permission_for_users(scene: Scene) -> None:
    run(
        'UPDATE "user" SET permissions = ARRAY[:courses] WHERE id = :id',
        courses=Permission.COURSES.value,
        id=scene.admin.user_id,
    )
    with transaction() as session:
        actor = acting_user(session, scene.organization, "admin@acme.example")
    with pytest.raises(Forbidden, match="Users"):
        make(scene, JANUARY, actor, **ROLLING)


def test_due_times_during_a_pause_are_skipped(scene: Scene) -> None:
    run("UPDATE enrolment SET completed_at = '2025-02-15', assigned_at = '2025-01-01'")
    rules = [make(scene, JANUARY, **MONTHLY), make(scene, JANUARY, **ROLLING), make(scene, JANUARY, **EVENT)]
    for rule in rules:
        change(scene, "pause", rule, JANUARY + timedelta(days=1))
        change(scene, "pause", rule, JANUARY + timedelta(days=1))
    happen(scene, MARCH, "1")
    tick(MARCH + MOMENT)
    assert resets() == []
    for rule in rules:
        change(scene, "resume", rule, MARCH + timedelta(hours=1))
    tick(MARCH + timedelta(hours=1))
    assert [len(occurrences(rule)) for rule in rules] == [2, 20, 1]
    assert {(state, reason) for rule in rules for _, state, reason in occurrences(rule)} == {
        ("skipped", "the rule was paused")
    }
    assert resets() == []
    tick(datetime(2026, 4, 1, 4, tzinfo=UTC))
    assert occurrences(rules[0])[2:] == [(datetime(2026, 4, 1, 4, tzinfo=UTC), "requested", None)]


def test_a_removed_rule_never_fires_and_keeps_its_history(scene: Scene) -> None:
    rule = make(scene, JANUARY, **YEARLY, warn_days=14)
    tick(MARCH - timedelta(days=7))
    change(scene, "remove", rule, MARCH - timedelta(days=1))
    tick(MARCH)
    assert occurrences(rule) == [(MARCH, "skipped", "the rule was removed")]
    with pytest.raises(RuleStateConflict, match="removed"):
        change(scene, "resume", rule, MARCH)
    assert [action for (action,) in rows("SELECT action FROM audit WHERE subject = :id ORDER BY id", id=str(rule))] == [
        "rule.made",
        "rule.removed",
    ]


# Several rules and resets at once


def test_a_failing_rule_does_not_hold_up_the_others(scene: Scene) -> None:
    broken, whole = make(scene, JANUARY, **YEARLY), make(scene, JANUARY, **YEARLY, audience=Audience.COMPLETED)
    run("UPDATE retraining_rule SET recurrence = 'FREQ=NEVER' WHERE id = :id", id=broken)
    tick(MARCH)
    assert occurrences(whole) == [(MARCH, "requested", None)]
    assert occurrences(broken) == []
    run("UPDATE retraining_rule SET recurrence = 'FREQ=YEARLY' WHERE id = :id", id=broken)
    tick(MARCH + timedelta(minutes=1))
    assert occurrences(broken) == []
    tick(MARCH + timedelta(minutes=5))
    assert [state for _, state, _ in occurrences(broken)] == ["requested"]


def test_a_rule_waits_for_a_running_reset_of_its_whole_audience(scene: Scene, post: Post) -> None:
    rule = make(scene, JANUARY, **YEARLY)
    scene.request()
    post.deliver(post.take()[0])  # writes its ledger: every learner is open
    tick(MARCH)
    assert [state for _, state, _ in occurrences(rule)] == ["planned"]
    assert rule_of(rule).state == "active"
    scene.cancel(resets()[0][0])
    post.drain()
    tick(MARCH + timedelta(minutes=1))
    assert [state for _, state, _ in occurrences(rule)] == ["requested"]


def test_a_refused_batch_leaves_nothing_and_sends_nothing(scene: Scene, post: Post) -> None:
    # Given five learners who are due, and then more than the limit
    for number, enrolment in enumerate(scene.enrolments()):
        completed(enrolment.id, datetime(2025, 2, 1 if number < 5 else 2, tzinfo=UTC))
    rule = make(scene, JANUARY, **ROLLING, most_learners=9)
    tick(datetime(2026, 2, 3, tzinfo=UTC))
    assert rule_of(rule).state == "waiting"
    assert post.take() == resets() == []


def test_confirming_again_needs_a_proposal_for_that(scene: Scene) -> None:
    rule = make(scene, JANUARY, **YEARLY)
    with at(JANUARY), transaction() as session:
        new = propose_rule(session, scene.admin, Terms(course=COURSE, reason="r", **YEARLY)).token
        again = propose_again(session, scene.admin, session.get_one(Rule, rule)).token
    for function, token in ((confirm_again, new), (make_rule, again)):
        with pytest.raises(PlanInvalid), at(JANUARY), transaction() as session:
            function(session, scene.admin, proposal=token, confirm=COURSE)
    change(scene, "pause", rule, JANUARY)
    with pytest.raises(RuleStateConflict, match="paused"), at(JANUARY), transaction() as session:
        confirm_again(session, scene.admin, proposal=again, confirm=COURSE)


def test_rules_of_other_organizations_are_out_of_reach(scene: Scene) -> None:
    rule = make(scene, JANUARY, **YEARLY)
    stranger = make_scene("globex", learners=1)
    for what in ("pause", "resume", "remove"):
        with pytest.raises(Refused, match="There is no rule"):
            change(stranger, what, rule, JANUARY)
    with pytest.raises(Refused):
        confirm(stranger, rule, JANUARY)
