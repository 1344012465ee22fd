"""Evidence, as an admin sees it: a store that is away, what to do, the files of a reset, and its page on paper; the
store, chosen, changed and turned off."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from models.evidence import EvidenceStore
from models.session import transaction
from tasks.evidence.commands import Terms
from tests.browser.looks import NARROW, WIDE
from tests.buckets import s3_server
from tests.outboxes import work
from tests.post import Post
from tests.scenes import ask, make_scene, run
from tests.stores import REGION, Bucket, keep_evidence, make_due

ADMIN = "admin@acme.example"
HEIGHTS = {WIDE: 860, NARROW: 844}
KEY = re.compile("^Access key")


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


def test_a_bucket_is_chosen_changed_and_turned_off(
    sign_in: Callable[..., Page], axe: Callable[[Page], list[str]], set_up: Callable[..., None]
) -> None:
    set_up(allowed_networks="127.0.0.0/8", storage_timeout_seconds=2)
    scene = make_scene(learners=1)
    with s3_server() as address:
        bucket = Bucket(address, "acme")
        page = sign_in(ADMIN, width=NARROW)
        page.goto("/evidence")
        # A bucket that does not take an object is refused. What was typed is kept, but not the secret
        page.get_by_label("Bucket").fill("s3://no-such-bucket/kept")
        page.get_by_label("Endpoint").fill(address)
        page.get_by_label("Region").fill(REGION)
        page.get_by_role("textbox", name=KEY).fill("writer")
        page.get_by_label("Secret of the access key").fill("its secret")
        page.get_by_label("Days each object is locked").fill("30")
        page.get_by_role("button", name="Turn on evidence").click()
        expect(page.get_by_role("alert")).to_contain_text("The store does not take an object: the store answered 404")
        for label, value in {"Bucket": "s3://no-such-bucket/kept", "Endpoint": address, "Region": REGION}.items():
            expect(page.get_by_label(label)).to_have_value(value)
        expect(page.get_by_label("Days each object is locked")).to_have_value("30")
        expect(page.get_by_label("Secret of the access key")).to_have_value("")
        assert axe(page) == []
        assert ask("SELECT count(*) FROM evidence_store") == 0
        # One that does is tried with a locked object
        page.get_by_label("Bucket").fill("s3://acme/kept")
        page.get_by_label("Secret of the access key").fill("its secret")
        page.get_by_role("button", name="Turn on evidence").click()
        expect(page.get_by_role("status").filter(has_text="The store accepted a test object")).to_be_visible()
        [tried] = bucket.s3.list_objects_v2(Bucket="acme")["Contents"]
        lock = bucket.s3.head_object(Bucket="acme", Key=tried["Key"])
        assert lock["ObjectLockMode"] == "COMPLIANCE"
        assert timedelta(days=29) < lock["ObjectLockRetainUntilDate"] - datetime.now(UTC) < timedelta(days=31)
        assert axe(page) == []
        # The lock is changed without the secret, which no page has; another access key needs its own
        page.get_by_text("Change the store").click()
        page.get_by_label("Days each object is locked").fill("60")
        page.get_by_role("button", name="Save store").click()
        expect(page.get_by_text("60 days for each object")).to_be_visible()
        assert "its secret" not in page.content()
        page.get_by_text("Change the store").click()
        page.get_by_role("textbox", name=KEY).fill("another")
        page.get_by_role("button", name="Save store").click()
        expect(page.get_by_role("alert")).to_contain_text("A bucket needs an access key and its secret")
        with transaction() as session:
            store = session.get_one(EvidenceStore, scene.organization.id)
            assert (store.access_key_id, store.secret(), store.lock_days) == ("writer", "its secret", 60)
        # It is turned off with a second click
        page.get_by_text("Turn off evidence", exact=True).first.click()
        page.get_by_role("button", name="Turn off evidence").click()
        expect(page.get_by_role("status").filter(has_text="Evidence before deletion is off")).to_be_visible()
        assert ask("SELECT count(*) FROM evidence_store") == 0
