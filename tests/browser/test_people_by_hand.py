"""Incidents, groups, users, tokens, sessions and planned resets, as an administrator manages them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page, expect

from models.access import Permission
from models.people import User
from models.session import transaction
from models.web_sessions import begin_session
from models.webhooks import WebhookEvent, open_endpoint
from tests.post import Post
from tests.receiver import Receiver
from tests.rules import CALENDAR, EVENT, group, make
from tests.scenes import COURSE, ask, make_scene, rows, run
from tests.web import make_user

SignIn = Callable[..., Page]
Axe = Callable[[Page], list[str]]
ADMIN = "admin@acme.example"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1"


def test_an_incident_says_what_becomes_due_before_it_is_reported(sign_in: SignIn, axe: Axe) -> None:
    scene = make_scene()
    make(scene, datetime.now(UTC), **EVENT, name="After incidents")
    page = sign_in(ADMIN, width=390)
    page.goto(f"/incidents/new?course={COURSE}")
    expect(page.get_by_role("textbox", name="Users")).to_be_hidden()
    page.get_by_label("Named users").check()
    page.get_by_role("textbox", name="Users").fill("learner-1@acme.example, whoever@acme.example")
    page.get_by_label("Reason").fill("press 4, hand injury")
    page.get_by_role("button", name="Show what becomes due").click()
    expect(page.get_by_role("alert")).to_contain_text("no users of this organization: whoever@acme.example")
    page.get_by_role("textbox", name="Users").fill("learner-1@acme.example, learner-2@acme.example")
    page.get_by_role("button", name="Show what becomes due").click()
    expect(page.get_by_text("2 learners will be reset.")).to_be_visible()
    expect(page.get_by_role("row", name="After incidents")).to_be_visible()
    assert axe(page) == []
    assert ask("SELECT count(*) FROM training_event") == 0
    page.get_by_role("button", name="Edit report").click()
    expect(page.get_by_label("Reason")).to_have_value("press 4, hand injury")
    page.get_by_role("button", name="Show what becomes due").click()
    page.get_by_role("button", name="Report incident").press("Space")
    expect(page.locator(".note.good")).to_contain_text("It made 1 rule due.")
    assert ask("SELECT cardinality(user_ids) FROM training_event") == 2


def test_a_group_is_replaced_from_a_list_renamed_and_deleted(sign_in: SignIn, axe: Axe) -> None:
    scene = make_scene()
    group(scene, "bern-2", [user.email for user in scene.users()[:3]])
    group(scene, "in-use", [])
    make(scene, datetime.now(UTC), **EVENT, audience="group", group="in-use")
    page = sign_in(ADMIN)
    page.goto("/groups/bern-2/members")
    page.get_by_label("List of users").fill(
        'who@acme.example, "Three, Learner" <learner-3@acme.example>\nlearner-4@acme.example'
    )
    page.get_by_label("Replace the members").check()
    page.get_by_role("button", name="Check the list").click()
    expect(page.get_by_label("Not found")).to_have_value("who@acme.example")
    assert axe(page) == []
    page.get_by_role("button", name="Add 1 and remove 2 members").click()
    expect(page.locator(".note.good")).to_have_text("1 member added, 2 removed.")
    page.get_by_label("Name", exact=True).fill("Bern, shift 3")
    page.get_by_role("button", name="Save group").click()
    expect(page.get_by_role("heading", name="Bern, shift 3")).to_be_visible()
    page.get_by_text("Delete group", exact=True).first.click()
    page.get_by_label("Type bern-2 to confirm").fill("bern")
    page.get_by_role("button", name="Delete group").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was deleted")
    page.get_by_label("Type bern-2 to confirm").fill("bern-2")
    page.get_by_role("button", name="Delete group").click()
    expect(page.get_by_role("link", name="Bern, shift 3")).to_have_count(0)
    page.goto("/groups/in-use")
    expect(page.get_by_role("region", name="Danger zone")).to_contain_text("It cannot be deleted")
    expect(page.get_by_role("region", name="Rules for this group")).to_contain_text("yearly recertification")


def test_a_user_is_added_chooses_a_password_and_is_managed(sign_in: SignIn, open_page: Callable[..., Page]) -> None:
    scene = make_scene(learners=1)
    make_user(scene.organization.id, "people@acme.example", Permission.USERS)
    page = sign_in("people@acme.example")
    page.goto("/users/new")
    expect(page.get_by_label(Permission.COURSES)).to_have_count(0)  # only up to one's own
    page.get_by_role("textbox", name="Name").fill("Sam Lee")
    page.get_by_label("E-mail address").fill("sam@acme.example")
    page.get_by_label(Permission.USERS).check()
    page.get_by_role("button", name="Add user").click()
    page.get_by_role("button", name="Create password link").click()
    link = page.get_by_label("Password link").inner_text()
    theirs = open_page("/set-password/" + link.rpartition("/")[2])
    theirs.get_by_label("New password").fill("correct horse battery staple")
    theirs.get_by_role("button", name="Set password").click()
    expect(theirs.get_by_role("heading", name="Users")).to_be_visible()
    again = open_page("/set-password/" + link.rpartition("/")[2])
    expect(again.get_by_text("This link has been used")).to_be_visible()
    page.get_by_role("link", name="Done").click()
    page.get_by_role("link", name="Edit user").click()
    page.get_by_label(Permission.USERS).uncheck()
    page.get_by_role("button", name="Save user").click()
    page.get_by_role("button", name="Deactivate user").click()
    expect(page.locator(".note.good")).to_contain_text("signed out everywhere")
    assert rows("SELECT permissions, active FROM \"user\" WHERE email = 'sam@acme.example'") == [([], False)]
    theirs.reload()
    expect(theirs.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_token_is_shown_once_and_sessions_are_named_and_ended(sign_in: SignIn, axe: Axe) -> None:
    scene = make_scene(learners=1)
    page = sign_in(ADMIN)
    with transaction() as session:
        begin_session(session, session.get_one(User, scene.admin.user_id), PHONE)
    page.goto("/tokens")
    page.get_by_label("Used for").fill("incident system")
    page.get_by_label("Report incidents").check()
    page.get_by_role("button", name="Create token").click()
    token = page.get_by_label("Token").inner_text()
    assert token.startswith("rcs_")
    assert axe(page) == []
    page.goto("/tokens")
    expect(page.get_by_text(token)).to_have_count(0)
    page.get_by_text("Revoke").first.click()
    page.get_by_role("button", name="Revoke token").click()
    expect(page.get_by_text("revoked", exact=True)).to_be_visible()
    page.goto("/my/sessions")
    page.get_by_role("button", name="Sign out Safari on an iPhone").click()
    expect(page.get_by_role("heading", name="iPhone")).to_have_count(0)
    assert ask("SELECT count(*) FROM web_session") == 1


def test_a_webhook_is_tested_and_edited(sign_in: SignIn, set_up: Callable[..., None]) -> None:
    set_up(webhook_allow_private="true")
    make_scene(learners=1)
    with Receiver(lambda _: 418) as receiver:
        page = sign_in(ADMIN)
        page.goto("/webhooks")
        page.get_by_label("URL").fill(f"http://127.0.0.1:{receiver.port}/hook")
        page.get_by_role("button", name="Add webhook").click()
        page.get_by_role("button", name="Send test").click()
        expect(page.get_by_role("alert")).to_contain_text("did not arrive: answered 418")
        receiver.answer = lambda _: 204
        page.get_by_text("Edit webhook").click()
        page.get_by_label("URL").fill(f"http://127.0.0.1:{receiver.port}/other")
        page.get_by_role("button", name="Save webhook").click()
        page.get_by_role("button", name="Send test").click()
        expect(page.locator(".note.good")).to_contain_text("answered 204")
        assert [one.path for one in receiver.received] == ["/hook", "/other"]
        assert b"webhook.ping" in receiver.received[1].body


def test_failed_messages_are_sent_again_since_a_time(
    sign_in: SignIn, axe: Axe, post: Post, set_up: Callable[..., None]
) -> None:
    set_up(webhook_allow_private="true")
    scene = make_scene(learners=2)
    with Receiver() as receiver:
        with transaction() as session:
            events = [WebhookEvent.RESET_STARTED, WebhookEvent.RESET_COMPLETED]
            url = f"http://127.0.0.1:{receiver.port}/hook"
            endpoint = open_endpoint(session, scene.organization.id, url, events)
        scene.request()
        post.drain()
        first, second = (one.headers["webhook-id"] for one in receiver.received)
        run("UPDATE webhook_delivery SET state = 'failed', delivered_at = NULL, outcome = 'answered 503'")
        run("UPDATE webhook_message SET created_at = now() - interval '2 days' WHERE event = 'reset.started'")
        page = sign_in(ADMIN, width=390)
        page.goto(f"/webhooks/{endpoint.id}")
        expect(page.get_by_role("heading", name="2 deliveries failed")).to_be_visible()
        assert axe(page) == []
        since = page.get_by_label("Send again what was created since")
        since.fill((datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M"))
        page.get_by_role("button", name="Send failed again").click()
        expect(page.get_by_text("Sending 1 failed message again, with the same IDs.")).to_be_visible()
        post.drain()
        page.reload()
        expect(page.get_by_role("heading", name="1 delivery failed")).to_be_visible()
        page.get_by_role("button", name="Send failed again").click()  # by default, since the first that failed
        expect(page.get_by_text("Sending 1 failed message again, with the same IDs.")).to_be_visible()
        post.drain()
        page.reload()
        expect(page.get_by_role("button", name="Send failed again")).to_have_count(0)
        assert [one.headers["webhook-id"] for one in receiver.received] == [first, second, second, first]


def test_a_planned_reset_is_moved_and_a_rule_is_changed(sign_in: SignIn, axe: Axe) -> None:
    scene = make_scene()
    reset = scene.request(start_at=datetime.now(UTC) + timedelta(days=3))
    rule = make(scene, datetime.now(UTC), **CALENDAR, starts="2031-03-01T06:00")
    page = sign_in(ADMIN)
    page.goto(f"/resets/{reset}")
    page.get_by_text("Change this planned reset").click()
    page.get_by_label("Start").fill("2020-01-01T06:00")
    page.get_by_role("button", name="Save reset").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose a start in the future")
    later = datetime.now(UTC) + timedelta(days=9)
    page.get_by_label("Start").fill(f"{later:%Y-%m-%dT06:00}")
    page.get_by_role("textbox", name="Reason", exact=True).fill("audit moved")
    page.get_by_label("New due date").fill("45")
    page.get_by_label("Send no alerts").check()
    page.get_by_role("button", name="Save reset").click()
    expect(page.get_by_role("definition").filter(has_text="audit moved")).to_be_visible()
    assert rows("SELECT start_at, reason, due_in_days, notify FROM reset") == [
        (later.replace(hour=6, minute=0, second=0, microsecond=0), "audit moved", 45, False)
    ]

    page.goto(f"/rules/{rule}")
    page.get_by_role("link", name="Edit rule").click()
    page.get_by_role("textbox", name="Name For people").fill("Every spring")
    page.get_by_label("First date and time").fill("2031-04-01T06:00")
    page.get_by_label("Warn learners").fill("7")
    page.get_by_role("button", name="Preview rule").click()
    expect(page.get_by_role("region", name="Changes").get_by_role("row", name="Days of warning 0 7")).to_be_visible()
    expect(page.get_by_role("region", name="Upcoming")).to_contain_text("1 Apr 2031")
    assert axe(page) == []
    page.get_by_label("Type").fill(COURSE)
    page.get_by_role("button", name="Confirm rule").click()
    expect(page.get_by_role("heading", name="Every spring")).to_be_visible()
    assert rows("SELECT name, starts::text, warn_days, state FROM retraining_rule") == [
        ("Every spring", "2031-04-01 06:00:00", 7, "active")
    ]
