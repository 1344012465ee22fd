"""The pages of retraining rules in a browser without scripts: what is shown, refused and kept."""

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from models.retraining import Rule
from models.session import transaction
from models.webhooks import WebhookEvent, open_endpoint
from tasks.rules.dry_run import dry_run
from tasks.rules.next_due import next_due_of
from tasks.rules.proposals import propose_rule
from tasks.rules.terms import Terms, terms_of
from tests.rules import CALENDAR, EVENT, ONCE, ROLLING, at, change, completed, group, happen, make, rule_of, tick
from tests.scenes import COURSE, Scene, ask, make_scene, rows
from tests.web import form_token, visitor

FORM = {
    "kind": "calendar",
    "course": COURSE,
    "reason": "yearly, says the audit",
    "starts": "2031-03-01T06:00",
    "recurrence": "FREQ=MONTHLY;BYDAY=1MO",
    "time_zone": "Europe/Zurich",
    "warn_days": "14",
    "most_a_day": "40",
}


@pytest.fixture
def scene(served: str) -> Scene:
    return make_scene()


@pytest.fixture
def admin(served: str, scene: Scene) -> Iterator[httpx.Client]:
    with visitor(served, scene.admin.user_id) as browser:
        yield browser


def field(page: httpx.Response, name: str) -> str:
    found = re.search(rf'name="{name}"[^>]*? value="([^"]*)"', page.text)
    assert found, page.text
    return html.unescape(found[1])


def send(browser: httpx.Client, path: str, **form: str) -> httpx.Response:
    return browser.post(path, data=form | {"csrf": form_token(browser.get("/my/settings"))})


def test_the_confirmation_links_back_to_the_form_with_its_values(admin: httpx.Client) -> None:
    asked = send(admin, "/rules/new", **FORM)
    back = re.search(r'href="(/rules/new\?[^"]+)">Edit rule', asked.text)
    assert back, asked.text

    form = admin.get(html.unescape(back[1]))

    for name in ("reason", "starts", "recurrence", "warn_days", "most_a_day"):
        assert field(form, name) == FORM[name]
    assert f'<option value="{COURSE}" selected>' in form.text
    assert "<option selected>Europe/Zurich</option>" in form.text


def test_an_expired_proposal_is_shown_again_and_creates_no_rule(scene: Scene, admin: httpx.Client) -> None:
    with at(datetime.now(UTC) - timedelta(days=1)), transaction() as session:
        terms = Terms.model_validate({"course": COURSE, "kind": "event", "reason": "x"})
        old = propose_rule(session, scene.admin, terms).token

    answer = send(admin, "/rules", proposal=old, confirm=COURSE)

    assert answer.status_code == 409, answer.text
    assert "The figures below are current." in answer.text
    assert ask("SELECT count(*) FROM retraining_rule") == 0
    again = send(admin, "/rules", proposal=field(answer, "proposal"), confirm=COURSE)
    assert again.status_code == 303, again.text


def test_a_rule_held_by_its_limit_is_released_with_a_larger_one(scene: Scene, admin: httpx.Client) -> None:
    now = datetime.now(UTC)
    rule = make(scene, now - timedelta(days=1), **EVENT, most_learners=5)
    happen(scene, now, "7731")
    tick(now + timedelta(seconds=1))
    assert "It would reset 12 learners at once; its limit is 5." in admin.get("/rules").text

    as_it_is = field(admin.get(f"/rules/{rule}/confirm"), "proposal")
    held = send(admin, f"/rules/{rule}/confirm", proposal=as_it_is, confirm=COURSE)
    assert held.status_code == 409
    assert "its limit is 5" in held.text
    assert "Change limits" in held.text

    larger = admin.get(f"/rules/{rule}/confirm?most_learners=20&most_a_day=x")
    assert "For more than 20 learners at once" in larger.text
    released = send(admin, f"/rules/{rule}/confirm", proposal=field(larger, "proposal"), confirm=COURSE)
    assert released.headers["location"] == f"/rules/{rule}?done=confirmed"
    assert (rule_of(rule).state, rule_of(rule).most_learners) == ("active", 20)


def test_a_proposal_confirms_only_its_own_rule(scene: Scene, admin: httpx.Client) -> None:
    one, other = (make(scene, datetime.now(UTC), **EVENT, most_a_day=cap) for cap in (10, 20))
    before = rule_of(one).confirmed_at
    proposal = field(admin.get(f"/rules/{one}/confirm"), "proposal")

    answer = send(admin, f"/rules/{other}/confirm", proposal=proposal, confirm=COURSE)

    assert answer.status_code == 422
    assert rule_of(one).confirmed_at == before


YEARS_AGO = datetime(2024, 5, 31, 15, tzinfo=UTC)


ZURICH = CALENDAR | {"starts": "2020-03-01T06:00", "time_zone": "Europe/Zurich"}
AUCKLAND = ROLLING | {"months": 9, "at_time": "23:00", "time_zone": "Pacific/Auckland"}
BERN = ROLLING | {"audience": "group", "group": "bern-2"}


def test_the_next_time_in_the_list_is_the_first_of_a_dry_run(scene: Scene, subtests: pytest.Subtests) -> None:
    for enrolment in scene.enrolments():
        completed(enrolment.id, None)
    first, second = scene.enrolments()[:2]
    completed(first.id, YEARS_AGO)
    completed(second.id, YEARS_AGO + timedelta(days=40))
    group(scene, "bern-2", [user.email for user in scene.users() if user.id == second.user_id])

    for now, terms, expected in (
        ("2031-03-01T04:59", ZURICH, "2031-03-01T05:00"),
        ("2031-03-01T05:00", ZURICH, "2032-03-01T05:00"),
        ("2031-01-01T00:00", ONCE | {"starts": "2032-01-01T00:00", "time_zone": "Asia/Tokyo"}, "2031-12-31T15:00"),
        ("2025-05-30T00:00", ROLLING, "2025-05-31T06:00"),
        ("2025-05-31T05:59", ROLLING, "2025-05-31T06:00"),
        ("2025-05-31T06:00", ROLLING, "2025-07-10T06:00"),
        ("2025-12-01T00:00", ROLLING, None),
        ("2025-02-28T09:59", AUCKLAND, "2025-03-01T10:00"),  # 1 June there
        ("2025-03-01T10:00", AUCKLAND, "2025-04-11T11:00"),  # and daylight saving had ended
        ("2025-05-01T00:00", BERN, "2025-07-10T06:00"),
    ):
        with subtests.test(now=now, terms=terms):
            moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
            rule_id = make(scene, moment - timedelta(days=1), **terms)
            with at(moment), transaction() as session:
                rule = session.get_one(Rule, rule_id)
                ahead = dry_run(session, rule.organization_id, terms_of(session, rule))
                assert next_due_of(session, rule, terms_of(session, rule)) == (ahead[0].due_at if ahead else None)
                assert next_due_of(session, rule, terms_of(session, rule)) == (
                    datetime.fromisoformat(expected).replace(tzinfo=UTC) if expected else None
                )


def test_a_paused_rule_has_no_next_time(scene: Scene, admin: httpx.Client) -> None:
    rule = make(scene, datetime.now(UTC), **CALENDAR, starts="2031-03-01T06:00")
    assert "1 Mar 2031, 06:00 (UTC)" in admin.get("/rules").text
    change(scene, "pause", rule, datetime.now(UTC))
    assert "1 Mar 2031" not in admin.get("/rules").text


def test_the_history_of_a_rule_is_paged(scene: Scene, admin: httpx.Client) -> None:
    rule = make(scene, datetime.now(UTC) - timedelta(days=1), **EVENT, most_learners=1)
    for number in range(60):
        happen(scene, datetime.now(UTC), str(number))

    first = admin.get(f"/rules/{rule}")
    more = re.search(r'href="([^"]+)" rel="next"', first.text)
    assert more
    second = admin.get(html.unescape(more[1]))

    assert [page.text.count('<th scope="row">') for page in (first, second)] == [50, 10]


def test_a_reset_of_a_group_is_chosen_in_the_dialog(scene: Scene, admin: httpx.Client) -> None:
    dialog = f"/training/content/courses/{COURSE}/reset"
    assert "Group only" not in admin.get(dialog).text
    group(scene, "bern-2", [user.email for user in scene.users()[:3]])
    everyone = admin.get(f"{dialog}?group=")
    assert '<option value="">No group</option>' in everyone.text
    assert "selected" not in everyone.text
    theirs = admin.get(f"{dialog}?group=bern-2")
    assert "Reset progress for 3 learners" in theirs.text
    assert '<option value="bern-2" selected>' in theirs.text

    plan = field(theirs, "plan")
    assert send(admin, dialog, plan=plan, confirm=COURSE, reason="x").status_code == 303
    assert rows("SELECT audience, group_id IS NOT NULL FROM reset") == [("group", True)]


def test_a_groups_code_must_fit_into_its_address(scene: Scene, admin: httpx.Client, subtests: pytest.Subtests) -> None:
    for code in ("bern/2", "bern\x002", "x" * 101):
        with subtests.test(refused=code):
            assert send(admin, "/groups", code=code, name="Bern").status_code == 422
            assert ask("SELECT count(*) FROM user_group") == 0
    for code in ("bern 2", "Zürich", "a?b#c&d=%2F"):
        with subtests.test(taken=code):
            made = send(admin, "/groups", code=code, name=f"A group with the code {code}")
            shown = html.escape(f"A group with the code {code}")
            assert shown in admin.get(made.headers["location"]).text
            links = re.findall(r'href="(/groups/[^"]+)"', admin.get("/groups").text)
            assert any(shown in admin.get(path).text for path in links)


def test_a_report_that_was_changed_after_it_was_sent_is_another_one(scene: Scene, admin: httpx.Client) -> None:
    form = {"kind": "incident", "course": COURSE, "who": "everyone", "reason": "Spill"}
    form["key"] = field(send(admin, "/incidents/new", **form), "key")
    assert send(admin, "/incidents", **form).status_code == 303
    form["reason"] = "Another spill"  # after "back"
    refused = send(admin, "/incidents", **form)
    assert (refused.status_code, "This form was already sent" in refused.text) == (422, True)
    form["key"] = field(refused, "key")
    form["key"] = field(send(admin, "/incidents/new", **form), "key")
    assert send(admin, "/incidents", **form).status_code == 303
    assert rows("SELECT reason FROM training_event ORDER BY id") == [("Spill",), ("Another spill",)]


def test_odd_addresses_and_forms_cause_no_server_error(
    scene: Scene, admin: httpx.Client, subtests: pytest.Subtests
) -> None:
    group(scene, "bern-2", [])
    with transaction() as session:
        hook = open_endpoint(session, scene.organization.id, "https://hooks.example/x", [WebhookEvent.RESET_STARTED]).id
    for path in (
        f"/webhooks/{hook}?sent=²",
        "/groups/bern-2?joined=²&left=²",
        "/rules/not-a-uuid",
        "/rules/new?kind=odd&course=%00&quiet=odd",
        "/rules/new?time_zone=Nowhere/Else",
        "/groups/%00",
        "/groups/nowhere",
        f"/training/content/courses/{COURSE}/reset?group=%00",
    ):
        with subtests.test(path=path):
            assert admin.get(path).status_code in (200, 404, 422)
    for typed in (
        {"kind": "odd"},
        {"reason": "a\x00b"},
        {"audience": "group:a\x00b"},
        {"audience": "users"},
        {"starts": "soon"},
        {"course": "NONE"},
    ):
        with subtests.test(typed=typed):
            assert send(admin, "/rules/new", **FORM | typed).status_code in (200, 404, 422)
    for path, form, status in (
        ("/tokens", {"email": scene.users()[0].email, "name": "x", "scopes": "resets:read", "days": "²"}, 200),
        ("/groups/bern-2/members", {"ids": "9" * 5000}, 303),
        ("/my/alerts", {"course-²": "all", f"course-{'9' * 5000}": "all"}, 303),
    ):
        with subtests.test(path=path):
            assert send(admin, path, **form).status_code == status
    assert ask("SELECT count(*) FROM retraining_rule") == 0
