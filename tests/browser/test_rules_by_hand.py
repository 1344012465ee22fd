"""Retraining rules, as a training admin creates and manages them."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Locator, Page, Route, expect

from tests.post import Post
from tests.rules import group, happen, make, tick
from tests.scenes import COURSE, ask, make_scene, rows

SignIn = Callable[..., Page]
ADMIN = "admin@acme.example"


def chosen(page: Page, label: str) -> Locator:
    """Return the select field with this label; labels of other fields contain the same words."""
    return page.get_by_role("combobox", name=re.compile(f"^{label}"))


@contextmanager
def slow_scripts(page: Page) -> Iterator[None]:
    """Delay the page's script, so that the browser renders and sets the focus first."""

    def late(route: Route) -> None:
        time.sleep(1)
        route.continue_()

    page.route("**/recourse.js*", late)
    yield
    page.unroute("**/recourse.js*", late)


def fill_in(page: Page) -> None:
    chosen(page, "Course").select_option(COURSE)
    page.get_by_label("First date and time").fill("2031-03-01T06:00")
    chosen(page, "Time zone").select_option("Europe/Zurich")
    page.get_by_label("Reason").fill("yearly recertification")
    page.get_by_label("Warn learners").fill("14")
    page.get_by_role("button", name="Preview rule").click()
    expect(page.get_by_role("heading", name="Confirm rule")).to_be_visible()


def test_a_calendar_rule_is_created_paused_resumed_and_removed(sign_in: SignIn) -> None:
    make_scene()
    page = sign_in(ADMIN)
    page.goto(f"/training/content/courses/{COURSE}")
    page.get_by_label("Actions for Fire safety").click()
    page.get_by_role("link", name="Create a retraining rule").click()
    expect(chosen(page, "Course")).to_have_value(COURSE)
    fill_in(page)
    expect(page.get_by_text("each year on 1 March at 06:00 (Europe/Zurich)")).to_be_visible()
    expect(page.get_by_role("region", name="Upcoming").get_by_role("listitem")).to_have_count(12)
    expect(page.get_by_role("link", name="Cancel")).to_be_focused()
    code, button = page.get_by_label(f"Type {COURSE}"), page.get_by_role("button", name="Create rule")
    expect(button).to_be_disabled()
    code.fill(COURSE)
    for where in (code, button):
        where.press("Enter")
    expect(page.locator("#announcer")).to_contain_text("Press Space to create the rule")
    assert ask("SELECT count(*) FROM retraining_rule") == 0
    button.click()
    expect(page.get_by_text("Rule created.")).to_be_visible()
    assert rows("SELECT recurrence, warn_days, owner_id IS NOT NULL FROM retraining_rule") == [
        ("FREQ=YEARLY", 14, True)
    ]

    page.get_by_role("button", name="Pause rule").click()
    expect(page.get_by_text("paused", exact=True)).to_be_visible()
    page.get_by_role("button", name="Resume rule").click()
    expect(page.get_by_text("active", exact=True)).to_be_visible()
    page.get_by_text("Remove this rule").click()
    page.get_by_role("button", name="Remove rule").click()
    expect(page.get_by_text("removed", exact=True)).to_be_visible()
    page.get_by_role("link", name="Rules", exact=True).click()
    expect(page.get_by_text("No rules yet")).to_be_visible()


def test_without_scripts_a_wrong_code_is_refused_and_the_right_one_creates_the_rule(sign_in: SignIn) -> None:
    make_scene()
    page = sign_in(ADMIN, scripts=False)
    page.goto("/rules/new")
    page.get_by_label("Reason").fill("x")
    page.get_by_label("First date and time").fill("2031-03-01T06:00")
    chosen(page, "Course").select_option(COURSE)
    page.get_by_label("Custom recurrence (RRULE)").fill("FREQ=NEVER")
    page.get_by_role("button", name="Preview rule").click()
    expect(page.get_by_role("alert")).to_contain_text("A rule cannot have this recurrence")
    page.get_by_label("Custom recurrence (RRULE)").fill("")
    fill_in(page)
    page.get_by_label("Type").fill("FIRE")
    page.get_by_role("button", name="Create rule").click()
    expect(page.get_by_role("alert")).to_contain_text("Type the course code")
    page.get_by_label("Type").fill(COURSE)
    page.get_by_role("button", name="Create rule").click()
    expect(page.get_by_text("Rule created.")).to_be_visible()


def test_an_event_rule_for_a_group_starts_a_reset_and_links_to_it(sign_in: SignIn, post: Post) -> None:
    scene = make_scene(completed=100)
    page = sign_in(ADMIN)
    page.goto("/groups")
    page.get_by_label("Code").fill("bern-2")
    page.get_by_label("Name", exact=True).fill("Bern")
    page.get_by_role("button", name="Create group").click()
    page.get_by_role("link", name="Add members").click()
    page.get_by_label("List of users").fill('who@acme.example\n"One, Learner" <learner-1@acme.example>; nobody, hr-2')
    page.get_by_role("button", name="Check the list").click()
    expect(page.get_by_label("Not found")).to_have_value("who@acme.example\nnobody\nhr-2")
    page.get_by_label("List of users").fill("learner-1@acme.example learner-2@acme.example")
    page.get_by_role("button", name="Check the list again").click()
    page.get_by_role("button", name="Add 2 members").click()
    expect(page.get_by_role("region", name="Members").get_by_role("row")).to_have_count(3)

    page.goto(f"/rules/new?kind=event&course={COURSE}")
    chosen(page, "Audience").select_option("group:bern-2")
    page.get_by_label("Reason").fill("after an incident")
    page.get_by_role("button", name="Preview rule").click()
    page.get_by_label("Type").fill(COURSE)
    page.get_by_role("button", name="Create rule").click()
    expect(page.get_by_text("Rule created.")).to_be_visible()
    happen(scene, datetime.now(UTC), "7731")
    tick(datetime.now(UTC) + timedelta(seconds=1))
    post.drain()
    tick(datetime.now(UTC) + timedelta(seconds=2))
    page.reload()
    expect(page.get_by_text("settled", exact=True)).to_be_visible()
    page.get_by_role("link", name="View reset").click()
    expect(page.get_by_text("2 of 2 learners reset")).to_be_visible()
    expect(page.get_by_text("incident: press 4, hand injury")).to_be_visible()


def test_a_group_is_chosen_in_the_dialog(sign_in: SignIn) -> None:
    scene = make_scene()
    group(scene, "bern-2", [user.email for user in scene.users()[:3]])
    page = sign_in(ADMIN)
    page.goto(f"/training/content/courses/{COURSE}")
    page.get_by_label("Actions for Fire safety").click()
    page.get_by_role("link", name="Reset course progress").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Reset progress for 12 learners")).to_be_visible()
    chosen(page, "Group only").select_option("bern-2")
    dialog.get_by_role("button", name="Update figures").click()
    expect(dialog.get_by_role("button", name="Reset progress for 3 learners")).to_be_visible()
    expect(dialog.get_by_role("link", name="Cancel")).to_be_focused()
    expect(chosen(page, "Group only")).to_have_value("bern-2")


def test_a_rule_held_by_its_limit_is_released_with_a_larger_one(sign_in: SignIn, post: Post) -> None:
    scene = make_scene()
    make(scene, datetime.now(UTC) - timedelta(days=1), kind="event", most_learners=5)
    happen(scene, datetime.now(UTC), "7731")
    tick(datetime.now(UTC) + timedelta(seconds=1))
    page = sign_in(ADMIN, width=390)
    page.goto("/rules")
    expect(page.get_by_text("It would reset 12 learners at once; its limit is 5.")).to_be_visible()
    page.get_by_role("link", name=COURSE).click()
    with slow_scripts(page):
        page.get_by_role("link", name="Confirm rule again").click()
        page.wait_for_url("**/confirm")  # and for the scripts
    expect(page.get_by_role("link", name="Cancel")).to_be_focused()
    assert page.evaluate("scrollY") == 0, "the text to read first is not on the screen"
    page.get_by_text("Change limits").click()
    page.get_by_label("Most learners per reset").fill("12")
    page.get_by_role("button", name="Preview rule").click()
    expect(page.get_by_text("For more than 12 learners at once")).to_be_visible()
    page.get_by_label("Type").fill(COURSE)
    page.get_by_role("button", name="Confirm rule").click()
    expect(page.get_by_text("Waiting resets continue.")).to_be_visible()
    tick(datetime.now(UTC) + timedelta(seconds=2))
    post.drain()
    page.reload()
    expect(page.get_by_role("link", name="View reset")).to_be_visible()
