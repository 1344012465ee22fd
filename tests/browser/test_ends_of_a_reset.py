"""What the pages show while a reset runs and for each result: correct, and the same everywhere."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from tests.post import Letter, Post
from tests.rules import CALENDAR, make
from tests.scenes import Scene, fail_for, let_all_pass, make_scene, state_of

SignIn = Callable[..., Page]
ADMIN = "admin@acme.example"
LEARNERS = 12


@pytest.fixture
def scene(database: str) -> Scene:
    """Twelve learners, eight of them with records."""
    return make_scene(learners=LEARNERS)


@dataclass(frozen=True)
class Seen:
    """What the page of a reset shows."""

    state: str
    words: str
    figures: dict[str, int]
    bar: dict[str, float]  # widths by outcome, of 1,000
    bar_in_words: str | None
    learners: dict[str, int]  # listed, by outcome


def look(page: Page) -> Seen:
    figures = page.locator("#live .figures div")
    labels, counts = figures.locator("dt").all_inner_texts(), figures.locator("dd").all_inner_texts()
    marks = page.locator("#list td .mark").all_inner_texts()
    bar = page.locator("svg#bar")
    return Seen(
        state=page.locator("#live .head .mark").first.inner_text(),
        words=" ".join(page.locator("#live").inner_text().split()),
        figures={label: int(count) for label, count in zip(labels, counts, strict=True)},
        bar=page.evaluate("Object.fromEntries([...document.querySelectorAll('#bar rect')]"
                          ".map(one => [one.className.baseVal, one.width.baseVal.value]))"),
        bar_in_words=bar.get_attribute("aria-label") if bar.count() else None,
        learners={mark: marks.count(mark) for mark in marks},
    )  # fmt: skip


def assert_agrees(seen: Seen) -> None:
    """The figures, the bar, its text and the list agree."""
    counts = {label.lower(): count for label, count in seen.figures.items()}
    total, _ = counts.pop("learners"), counts.pop("alerts sent")
    counts = {label: count for label, count in counts.items() if count}
    assert sum(counts.values()) == total == LEARNERS
    assert seen.learners == counts
    assert seen.bar_in_words == f"{total} learners: " + ", ".join(f"{count} {label}" for label, count in counts.items())
    names = {"cleared": "reset", "unchanged": "nothing to reset", "pending": "pending"}
    widths = {names.get(outcome, outcome): width for outcome, width in seen.bar.items()}
    assert widths == pytest.approx({label: 1000 * count / total for label, count in counts.items()}, abs=0.1)


def admin_at(sign_in: SignIn, reset: UUID, width: int = 1280) -> Page:
    page = sign_in(ADMIN, width=width)
    page.goto(f"/resets/{reset}")
    return page


def inbox_title(page: Page) -> str:
    page.goto("/my/inbox")
    return page.get_by_role("listitem").filter(has_text="You requested this reset").locator("strong").inner_text()


def deliver_some(post: Post, slices: int) -> list[Letter]:
    """Write the ledger and clear that many slices of one learner each. Returns the messages of the others."""
    [coordinator] = post.take()
    post.deliver(coordinator)
    letters = post.take()
    for letter in letters[:slices]:
        post.deliver(letter)
    post.take()
    return letters[slices:]


NOT_OVER = re.compile(r"Stopping|stopping|being stopped|tried again|Tried again")


def test_succeeded(sign_in: SignIn, scene: Scene, post: Post) -> None:
    reset = scene.request()
    post.drain()
    page = admin_at(sign_in, reset)
    seen = look(page)
    assert_agrees(seen)
    assert seen.state == "succeeded"
    assert "8 of 12 learners reset, 4 had nothing to reset." in seen.words
    assert not NOT_OVER.search(seen.words)
    assert inbox_title(page) == "Reset done:"


@pytest.mark.parametrize("failing", [2, LEARNERS], ids=["partly failed", "failed"])
def test_failed_and_then_retried(sign_in: SignIn, scene: Scene, post: Post, failing: int) -> None:
    for enrolment in scene.enrolments()[:failing]:
        fail_for(enrolment)
    reset = scene.request()
    post.drain()
    page = admin_at(sign_in, reset)
    seen = look(page)
    assert_agrees(seen)
    assert seen.state == ("failed" if failing == LEARNERS else "partly failed")
    assert f"{failing} of 12 learners were not reset." in seen.words
    assert seen.bar["failed"] > 0
    assert page.locator("#bar .failed").evaluate("e => getComputedStyle(e).fill") == "rgb(198, 33, 39)"
    assert inbox_title(page) == ("Reset failed:" if failing == LEARNERS else "Reset partly failed:")
    # The page says that the learners are being retried, until they are done
    let_all_pass()
    page.goto(f"/resets/{reset}")
    page.get_by_role("button", name=f"Retry {failing} failed learners").click()
    expect(page.get_by_text("Retrying the failed learners.")).to_be_visible()
    assert inbox_title(page) == "Reset being retried:"
    page.goto(f"/resets/{reset}")
    post.drain()
    expect(page.locator("#live").get_by_text("succeeded", exact=True)).to_be_visible()
    expect(page.locator("#live")).not_to_have_attribute("hx-get", re.compile("."))
    seen = look(page)
    assert_agrees(seen)
    assert not NOT_OVER.search(page.locator("main").inner_text())
    page.reload()
    assert not NOT_OVER.search(page.locator("main").inner_text())
    assert inbox_title(page) == "Reset done:"


def test_cancelled_before_it_began(sign_in: SignIn, scene: Scene, post: Post) -> None:
    reset = scene.request(scene.preview(start_at=datetime.now(UTC) + timedelta(days=2)))
    post.drain()
    page = admin_at(sign_in, reset)
    assert look(page).state.startswith("planned for ")
    page.get_by_text("Cancel this reset").click()
    page.get_by_role("button", name="Cancel reset").click()
    expect(page.get_by_text("Stopping. Learners who")).to_be_visible()
    post.drain()
    expect(page.locator("#live").get_by_text("cancelled", exact=True)).to_be_visible()
    expect(page.locator("#live")).not_to_have_attribute("hx-get", re.compile("."))
    for again in (False, True):
        if again:
            page.reload()
        seen = look(page)
        assert "No one was reset: it was cancelled before it began." in seen.words
        assert (seen.figures, seen.bar, seen.bar_in_words) == ({}, {}, None)
        for untrue in ("0 of 0", " 0 ", "0.0 s", "being stopped"):
            assert untrue not in page.locator("main").inner_text(), untrue
    page.goto("/resets")
    row = page.get_by_role("row", name="Fire safety")
    expect(row.get_by_role("cell").nth(1)).to_have_text("-")
    assert inbox_title(page) == "Reset cancelled:"


@pytest.mark.usefixtures("one_by_one")
def test_cancelled_halfway(sign_in: SignIn, scene: Scene, post: Post) -> None:
    reset = scene.request()
    deliver_some(post, 5)
    page = admin_at(sign_in, reset)
    assert_agrees(look(page))
    assert look(page).figures["Pending"] == 7
    page.get_by_text("Cancel this reset").click()
    page.get_by_role("button", name="Cancel reset").click()
    expect(page.get_by_text("Stopping. Learners who have been reset stay reset")).to_be_visible()
    assert look(page).state == "stopping"
    post.drain()
    expect(page.locator("#live").get_by_text("cancelled", exact=True)).to_be_visible()
    expect(page.locator("#live")).not_to_have_attribute("hx-get", re.compile("."))
    seen = look(page)
    assert_agrees(seen)
    assert seen.figures["Skipped"] == 7
    assert "5 of 12 learners reset, 0 had nothing to reset, 7 skipped." in seen.words
    assert not NOT_OVER.search(page.locator("main").inner_text())
    assert page.locator("#bar .skipped").evaluate("e => getComputedStyle(e).fill") == "rgb(201, 138, 27)"
    assert inbox_title(page) == "Reset cancelled:"


def test_a_late_cancellation_is_explained(sign_in: SignIn, scene: Scene, post: Post) -> None:
    reset = scene.request()
    deliver_some(post, LEARNERS)
    scene.cancel(reset)
    post.drain()
    assert state_of(reset) == "succeeded"
    expect(admin_at(sign_in, reset).get_by_text("cancelled when all learners were done")).to_be_visible()


@pytest.mark.usefixtures("one_by_one")
def test_the_list_of_learners_and_the_bar_agree_while_it_runs(sign_in: SignIn, scene: Scene, post: Post) -> None:
    reset = scene.request()
    [coordinator] = post.take()
    post.deliver(coordinator)
    slices = post.take()
    page = admin_at(sign_in, reset)
    tab = page.get_by_role("link", name="All", exact=True)
    tab.focus()
    for done, letter in enumerate(slices[:6], 1):
        post.deliver(letter)
        expect(page.locator("#bar")).to_have_attribute("aria-label", re.compile(f"{LEARNERS - done} pending"))
        assert_agrees(look(page))
    expect(tab).to_be_focused()


@pytest.mark.usefixtures("one_by_one")
def test_the_list_keeps_its_filter_while_the_reset_runs(sign_in: SignIn, scene: Scene, post: Post) -> None:
    reset = scene.request()
    rest = deliver_some(post, 3)
    page = admin_at(sign_in, reset)
    page.get_by_role("link", name="Pending").click()
    expect(page.locator("#list td .mark")).to_have_text(["pending"] * 9)
    for letter in rest:
        post.deliver(letter)
    post.drain()
    expect(page.get_by_text("No learners match.")).to_be_visible()


def test_learners_in_another_reset_are_counted_as_skipped_only(sign_in: SignIn, scene: Scene, post: Post) -> None:
    some = [enrolment.user_id for enrolment in scene.enrolments()[:5]]
    scene.request(audience="users", users=some)
    [coordinator] = post.take()
    post.deliver(coordinator)
    page = sign_in(ADMIN)
    page.goto("/training/content/courses/FIRE-101/reset")
    expect(page.get_by_role("row", name="Learners reset to 0%")).to_contain_text("7")
    expect(page.get_by_role("row", name="Learners skipped: another reset")).to_contain_text("5")
    expect(page.get_by_role("button", name="Reset progress for 7 learners")).to_be_visible()


def test_a_rules_times_are_in_its_time_zone_and_name_it(sign_in: SignIn, scene: Scene) -> None:
    terms: dict[str, Any] = CALENDAR | {"starts": "2031-03-01T06:00", "time_zone": "Europe/Zurich"}
    rule = make(scene, datetime.now(UTC), **terms)
    page = sign_in(ADMIN)  # whose own time zone is UTC
    for address in (f"/rules/{rule}", "/rules", f"/rules/{rule}/confirm"):
        page.goto(address)
        expect(page.locator("time", has_text="1 Mar 2031").first).to_have_text("1 Mar 2031, 06:00 (Europe/Zurich)")


@pytest.mark.usefixtures("one_by_one")
@pytest.mark.parametrize("width", [1280, 390])
def test_the_bar_and_its_figures_fit(sign_in: SignIn, scene: Scene, post: Post, axe: Callable[[Page], list[str]],
                                     width: int) -> None:  # fmt: skip
    for enrolment in scene.enrolments()[:2]:
        fail_for(enrolment)
    reset = scene.request()
    deliver_some(post, 6)
    scene.cancel(reset)
    post.drain()
    page = admin_at(sign_in, reset, width)
    assert_agrees(look(page))
    assert axe(page) == []
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
