"""Evidence, as an admin sees it: a store that is away, what to do, the files of a reset, and its page on paper."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tasks.evidence.commands import Terms
from tests.browser.test_every_page import NARROW, WIDE
from tests.outboxes import work
from tests.post import Post
from tests.scenes import make_scene, run
from tests.stores import keep_evidence, make_due

ADMIN = "admin@acme.example"
HEIGHTS = {WIDE: 860, NARROW: 844}


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_store_that_is_away_then_the_files_and_the_page_on_paper(
    sign_in: Callable[..., Page], axe: Callable[[Page], list[str]], post: Post, tmp_path: Path, width: int
) -> None:
    from tasks.evidence.write import Evidence

    def look(page: Page) -> None:
        assert axe(page) == []
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width, "it scrolls sideways"

    # Given a reset whose evidence cannot be stored
    scene = make_scene(learners=12, completed=20, begun=20, certificates=False)
    keep_evidence(scene, Terms("file:///proc/nowhere"))
    reset = scene.request()
    post.drain()
    page = sign_in(ADMIN, width=width)
    page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
    # Its page says so, and why, and leads to where one can do something
    page.goto(f"/resets/{reset}")
    expect(page.get_by_text("Storing its evidence first")).to_be_visible()
    expect(page.get_by_text("the folder does not take it")).to_be_visible()
    look(page)
    page.locator("#live").get_by_role("link", name="Evidence").click()
    expect(page.get_by_text("The store does not take evidence at the moment")).to_be_visible()
    look(page)
    # When the store is mended, trying again starts the reset
    run("UPDATE evidence_store SET url = :url", url=(tmp_path / "evidence").as_uri())
    page.get_by_role("button", name="Try again now").click()
    expect(page.get_by_text("The store is being tried again now")).to_be_visible()
    post.drain()
    make_due()
    work(Evidence)
    page.goto(f"/resets/{reset}")
    expect(page.get_by_text("12 of 12 learners reset")).to_be_visible()
    expect(page.get_by_text("Evidence before deletion: 3 of 3 parts stored")).to_be_visible()
    # Then its files can be saved
    for name, ending in (("Learners as CSV", "csv"), ("Report as PDF", "pdf"), ("Both, signed", "zip")):
        with page.expect_download() as download:
            page.get_by_role("link", name=name).click()
        assert download.value.suggested_filename.endswith(f".{ending}")
        assert download.value.path().stat().st_size > 100
    look(page)
    # and on paper, the page has what happened and nothing to click
    page.emulate_media(media="print")
    expect(page.get_by_role("navigation", name="Main")).to_be_hidden()
    expect(page.get_by_role("link", name="Report as PDF")).to_be_hidden()
    expect(page.get_by_text("12 of 12 learners reset")).to_be_visible()
