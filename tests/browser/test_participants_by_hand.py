"""A participant, as an admin adds it, sees it in the dialog, and follows a reset that waits for it."""

from collections.abc import Callable

from playwright.sync_api import Page, expect
from sqlalchemy import select

from models.participants import Participant
from models.session import transaction
from tests.browser.test_reset_by_hand import ADMIN, finish, open_course_dialog
from tests.elsewhere import Elsewhere
from tests.scenes import COURSE, REASON, make_scene
from tests.workers import Worker


def test_a_participant_is_added_counted_and_waited_for(
    sign_in: Callable[..., Page],
    axe: Callable[[Page], list[str]],
    start_worker: Callable[..., Worker],
    set_up: Callable[..., None],
) -> None:
    set_up(webhook_allow_private="true", recover_every_seconds=1, recover_after_seconds=2)
    scene = make_scene(learners=12)
    with Elsewhere() as lms:
        lms.fill(scene.enrolments())
        page = sign_in(ADMIN)
        # A name or an address that is not right is refused, and what was typed is kept
        page.get_by_role("link", name="Participants").click()
        page.get_by_label("Name").fill("lms")
        page.get_by_label("URL").fill("http://user:secret@127.0.0.1/")
        page.get_by_role("button", name="Add participant").click()
        expect(page.get_by_role("alert")).to_contain_text("must not contain a user name")
        expect(page.get_by_label("Name")).to_have_value("lms")
        page.get_by_label("URL").fill(lms.url)
        page.get_by_role("button", name="Add participant").click()
        expect(page.get_by_text("Participant added")).to_be_visible()
        with transaction() as session:
            lms.secret = session.scalars(select(Participant)).one().secret()
        # The dialog shows its counts beside ours
        open_course_dialog(page)
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("status").filter(has_text="lms")).to_contain_text("36 attempts deleted")
        assert axe(page) == []
        # While it is away, the reset's page says for whom it waits
        lms.away = lambda: 503
        start_worker()
        dialog.get_by_label("Reason").fill(REASON)
        dialog.get_by_label(f"Type {COURSE} to confirm").fill(COURSE)
        dialog.get_by_role("button", name="Reset progress for 12 learners").click()
        page.wait_for_url("**/resets/*")
        expect(page.locator("#live")).to_contain_text("cleared here, waiting for lms: 12", timeout=30_000)
        row = page.get_by_role("region", name="Records elsewhere").get_by_role("row", name="lms")
        expect(row).to_contain_text("answered 503", timeout=30_000)
        assert axe(page) == []
        # And when it is back, the participant's page does not wait for the next time
        lms.away = lambda: None
        here = page.url
        page.goto("/participants/lms")
        page.get_by_role("button", name="Ask again now").click()
        expect(page.get_by_text("It is being asked again now")).to_be_visible()
        page.goto(here)
        finish(page)
        expect(page.get_by_text("records deleted")).to_be_visible()
        page.get_by_text("records deleted").click()
        expect(page.locator("#removed")).to_contain_text("lms: attempts")
        assert lms.attempts == {}
