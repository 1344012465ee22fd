"""The page of a reset while it runs: how long it takes, who has what, what is missing; and the banner."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.post import Post
from tests.rules import CALENDAR, make
from tests.scenes import COURSE, make_scene, run

SignIn = Callable[..., Page]
ADMIN = "admin@acme.example"


@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_running_reset_says_how_long_and_who_has_what(
    sign_in: SignIn, axe: Callable[[Page], list[str]], post: Post, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.troubles.KEPT", 0)
    scene = make_scene(learners=250, completed=1000)
    scene.request(scene.preview(start_at=datetime.now(UTC) + timedelta(days=3)))
    make(scene, datetime.now(UTC), **CALENDAR, starts="2031-03-01T06:00", time_zone="Europe/Zurich")
    reset = scene.request()
    post.deliver(post.take()[0])
    letters = post.take()
    for letter in letters[:4]:
        post.deliver(letter)
    run("UPDATE reset_slice SET published_at = now() - interval '10 s' WHERE published_at IS NOT NULL")
    run("UPDATE reset_slice SET worker = 'bulk@host-1', begun_at = now(), published_at = now() WHERE number = 5")
    page = sign_in(ADMIN, width=width)
    page.goto(f"/resets/{reset}")
    expect(page.locator("#speed")).to_contain_text("Less than a minute left · ")
    expect(page.locator(".troubles")).to_have_count(0)
    # The list of workers stays open, and is kept up to date; the list of learners keeps the reader's focus
    page.get_by_text("Workers", exact=True).click()
    expect(page.locator("#workers-now th[scope=row]")).to_have_text("bulk@host-1")
    following = page.get_by_role("link", name="Next page")
    following.focus()
    run("UPDATE reset_slice SET worker = 'bulk@host-2' WHERE number = 5")
    expect(page.locator("#workers-now th[scope=row]")).to_have_text("bulk@host-2")
    post.deliver(letters[5])
    expect(page.locator("#bar")).to_have_attribute("aria-label", re.compile("125 pending"))
    expect(following).to_be_focused()
    assert axe(page) == []
    # No worker reads the queue: the reset and every page say since when, and what to do
    run(
        """UPDATE reset_slice SET begun_at = NULL, published_at = now() - interval '9 min',
           settled_at = settled_at - interval '9 min'"""
    )
    run(
        """INSERT INTO queue_probe (queue, sent_at, sent_in_vain, unread_since, no_worker)
           VALUES ('bulk', now(), 3, now() - interval '8 min', true)"""
    )
    run("INSERT INTO heartbeat (part) VALUES ('recover')")
    missing = re.compile(r"No worker for bulk has been running since \d+ \w+ \d{4}, \d\d:\d\d")
    expect(page.locator("#trouble")).to_contain_text(missing)
    expect(page.locator("#trouble code")).to_have_text("celery -A worker worker -Q bulk")
    expect(page.locator("#speed")).to_have_count(0)
    run("UPDATE heartbeat SET at = now() - interval '1 h' WHERE part = 'beat'")
    page.goto(f"/training/content/courses/{COURSE}")
    expect(page.locator(".troubles li")).to_contain_text(["Beat has not ticked since", "No worker for bulk"])
    assert axe(page) == []
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    # Another reset of the course: what is ahead for it comes before the confirmation
    page.goto(f"/training/content/courses/{COURSE}/reset")
    expect(page.locator("#ahead li")).to_contain_text(
        [r"Reset running, 250 learners", "Reset planned for", "Rule for everyone"]
    )
    assert axe(page) == []
