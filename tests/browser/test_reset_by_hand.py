"""Both ways to reset progress, as a training admin uses them, from sign-in to what the learner sees."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from models.access import Permission
from models.people import User
from tests.scenes import (
    COURSE,
    REASON,
    Scene,
    ask,
    do_everything,
    fail_for,
    let_all_pass,
    make_scene,
    records_of,
    rows,
    run,
    slow_down,
)
from tests.web import make_user
from tests.workers import Worker

SignIn = Callable[..., Page]
ADMIN = "admin@acme.example"


def learner_of(scene: Scene) -> User:
    """Return a learner with notifications on who has completed the course."""
    enrolment = scene.enrolments()[0]
    do_everything(enrolment)
    return next(user for user in scene.users() if user.id == enrolment.user_id)


def open_course_dialog(page: Page) -> None:
    page.get_by_role("link", name="Training", exact=True).click()
    page.get_by_role("link", name="Fire safety").click()
    page.get_by_label("Actions for Fire safety").click()
    page.get_by_role("link", name="Reset course progress").click()
    expect(page.get_by_role("dialog").get_by_role("heading", name="Reset course progress")).to_be_visible()


def finish(page: Page, words: str = "succeeded") -> None:
    page.wait_for_url("**/resets/*")
    expect(page.locator("#live").get_by_text(words, exact=True)).to_be_visible(timeout=30_000)
    expect(page.locator("#live")).not_to_have_attribute("hx-get", re.compile("."), timeout=30_000)


def test_a_course_is_reset_from_its_summary_page_and_a_learner_completes_it_again(
    sign_in: SignIn, start_worker: Callable[..., Worker]
) -> None:
    scene = make_scene(learners=12, completed=0, begun=10)
    learner = learner_of(scene)
    serial = ask("SELECT serial FROM certificate")
    start_worker()

    # When an admin resets the course for all
    page = sign_in(ADMIN)
    open_course_dialog(page)
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("This cannot be undone.")).to_be_visible()
    expect(dialog.get_by_role("row", name="Learners reset to 0%")).to_contain_text("12")
    expect(dialog.get_by_role("row", name="Completions deleted")).to_contain_text("1")
    expect(dialog.get_by_role("link", name="Cancel")).to_be_focused()
    button = dialog.get_by_role("button", name="Reset progress for 12 learners")
    expect(button).to_be_disabled()
    button.click(force=True)
    expect(dialog.get_by_label("Reason")).to_be_focused()
    dialog.get_by_label("Reason").fill(REASON)
    dialog.get_by_label(f"Type {COURSE} to confirm").fill(COURSE.lower())
    expect(button).to_be_disabled()
    dialog.get_by_label(f"Type {COURSE} to confirm").fill(COURSE)
    for enter in (dialog.get_by_label("Reason"), dialog.get_by_label(f"Type {COURSE}"), button):
        enter.press("Enter")
    assert ask("SELECT count(*) FROM reset") == 0
    button.click()

    # Then the page of the reset follows it to the end
    finish(page)
    expect(page.locator("#announcer")).to_have_text(re.compile("Reset succeeded."))
    expect(page.get_by_role("region", name="Learners").get_by_role("row")).to_have_count(13)
    assert rows("SELECT reason, requester, state FROM reset") == [(REASON, f"user:{scene.admin.user_id}", "succeeded")]
    assert set(records_of(scene.course).values()) == {0}

    # And past completions are gone from the analytics
    page.get_by_role("link", name="Analytics").click()
    expect(page.get_by_role("row", name="Fire safety")).to_contain_text("0%")

    # And the learner gets an alert, starts at 0%, completes the course again, and gets a new certificate
    theirs = sign_in(learner.email)
    expect(theirs.get_by_role("listitem").filter(has_text="Fire safety")).to_contain_text("0%")
    theirs.get_by_role("link", name="Inbox 1 unread").click()
    theirs.get_by_role("link", name="Fire safety").click()
    take_course(theirs)
    expect(theirs.get_by_text("Well done")).to_be_visible()
    assert ask("SELECT serial FROM certificate") not in (serial, None)
    page.reload()
    expect(page.get_by_role("row", name="Fire safety")).to_contain_text("8%")


def test_changes_since_the_preview_are_shown_before_anything_is_reset(
    sign_in: SignIn, axe: Callable[[Page], list[str]]
) -> None:
    # Given the dialog of a course without records
    scene = make_scene(learners=12, completed=0, begun=0)
    page = sign_in(ADMIN)
    open_course_dialog(page)
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("row", name="Records deleted")).to_contain_text("none")
    dialog.get_by_label("Reason").fill(REASON)
    dialog.get_by_text("Options").click()
    dialog.get_by_label("New due date").fill("30")
    dialog.get_by_label(f"Type {COURSE} to confirm").fill(COURSE)
    # When a learner completes it, and the dialog is confirmed
    learner_of(scene)
    dialog.get_by_role("button", name="Reset progress for 12 learners").click()
    # Then nothing is reset; the dialog shows the changes and the new figures, and keeps its fields
    expect(dialog.get_by_role("alert")).to_contain_text("Nothing was reset")
    expect(dialog.get_by_role("alert")).to_contain_text("Completions: 1 instead of none")
    expect(dialog.get_by_role("alert")).to_be_in_viewport()
    expect(dialog.get_by_role("row", name="Completions deleted")).to_contain_text("1")
    expect(dialog.get_by_label("Reason")).to_have_value(REASON)
    expect(dialog.get_by_label("New due date")).to_have_value("30")
    assert ask("SELECT count(*) FROM reset") == 0
    assert records_of(scene.course)["completion"] == 1
    assert axe(page) == []
    # And with the code typed again, the course is reset
    dialog.get_by_label(f"Type {COURSE} to confirm").fill(COURSE)
    dialog.get_by_role("button", name="Reset progress for 12 learners").click()
    page.wait_for_url("**/resets/*")
    assert rows("SELECT reason, due_in_days FROM reset") == [(REASON, 30)]


def take_course(page: Page) -> None:
    expect(page.get_by_role("button", name="Complete course")).to_have_count(0)
    for lesson in ("Lesson 1", "Lesson 2"):
        page.get_by_role("button", name=f"Mark as done {lesson}").click()
        expect(page.get_by_role("region", name=lesson).get_by_text("done", exact=True)).to_be_visible()
    page.get_by_label("Notes for the assessor").fill("Showed the assembly point.")
    page.get_by_role("button", name="Hand in Practical assessment 1").click()
    page.get_by_label("Your post").fill("Where is the nearest exit?")
    page.get_by_role("button", name="Post").click()
    assignment = page.get_by_role("region", name="Assignment 1")
    assignment.get_by_label("File").set_input_files(
        {"name": "route.txt", "mimeType": "text/plain", "buffer": b"Down the stairs, then left."}
    )
    assignment.get_by_role("button", name="Hand in").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="route.txt").click()
    assert download.value.path().read_bytes() == b"Down the stairs, then left."
    page.get_by_role("button", name="Complete course").click()


def test_one_user_is_reset_from_their_profile(sign_in: SignIn, start_worker: Callable[..., Worker]) -> None:
    scene = make_scene(completed=100)
    learner = learner_of(scene)
    before = records_of(scene.course)
    start_worker()

    page = sign_in(ADMIN)
    page.get_by_role("link", name="Users").click()
    page.get_by_label("Name or e-mail address").fill(learner.email)
    page.get_by_role("button", name="Search users").click()
    page.get_by_role("link", name=learner.name).first.click()
    page.get_by_role("link", name="Qualifications").click()
    expect(page.get_by_role("heading", name="Training")).to_be_visible()
    page.get_by_label("Actions for Fire safety").click()
    page.get_by_role("link", name="Reset course progress").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text(learner.name)).to_be_visible()
    dialog.get_by_label("Reason").fill("incident 7731")
    dialog.get_by_role("button", name="Reset progress for 1 learner").click()

    finish(page)
    page.get_by_role("link", name=learner.name).click()
    expect(page.get_by_role("listitem").filter(has_text="Fire safety")).to_contain_text("assigned 0%")
    after = records_of(scene.course)
    assert after["completion"] == before["completion"] - 1 > 0


def test_escape_and_cancel_change_nothing_and_return_the_focus(sign_in: SignIn) -> None:
    make_scene()
    page = sign_in(ADMIN)
    for leave in ("Escape", "Enter"):  # Enter, since Cancel has the focus
        open_course_dialog(page)
        page.keyboard.press(leave)
        expect(page.get_by_role("dialog")).to_be_hidden()
        expect(page.get_by_label("Actions for Fire safety")).to_be_focused()
    assert ask("SELECT count(*) FROM reset") == 0


def test_a_refusal_is_shown_in_the_dialog_and_fields_keep_their_values(sign_in: SignIn) -> None:
    make_scene()
    page = sign_in(ADMIN)
    open_course_dialog(page)
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill(REASON)
    dialog.get_by_label("Type").fill(COURSE)
    dialog.get_by_text("Options").click()
    dialog.get_by_label("Start later").fill("2020-01-01T08:00")
    dialog.get_by_role("button", name="Reset progress").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Choose a start in the future")
    expect(dialog.get_by_label("Reason")).to_have_value(REASON)
    assert ask("SELECT count(*) FROM reset") == 0


def test_a_reset_can_be_planned_for_later_and_cancelled_before(
    sign_in: SignIn, start_worker: Callable[..., Worker]
) -> None:
    scene = make_scene(completed=100)
    start_worker()
    page = sign_in(ADMIN)
    open_course_dialog(page)
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill(REASON)
    dialog.get_by_label("Type").fill(COURSE)
    dialog.get_by_text("Options").click()
    later = ask("SELECT to_char(now() AT TIME ZONE 'UTC' + interval '2 days', 'YYYY-MM-DD\"T\"HH24:MI')")
    dialog.get_by_label("Start later").fill(later)
    dialog.get_by_role("button", name="Reset progress").click()
    page.wait_for_url("**/resets/*")
    expect(page.get_by_text("planned for")).to_be_visible()
    page.get_by_text("Cancel this reset").click()
    page.get_by_role("button", name="Cancel reset").click()
    finish(page, "cancelled")
    assert records_of(scene.course)["completion"] == 12


def test_failures_are_grouped_by_cause_and_retried(sign_in: SignIn, start_worker: Callable[..., Worker]) -> None:
    scene = make_scene(completed=100)
    fail_for(scene.enrolments()[0])
    start_worker()
    page = sign_in(ADMIN)
    open_course_dialog(page)
    page.get_by_label("Reason").fill(REASON)
    page.get_by_label("Type").fill(COURSE)
    page.get_by_role("button", name="Reset progress").click()
    finish(page, "partly failed")
    causes = page.get_by_role("region", name="Learners not reset")
    expect(causes.get_by_role("row", name="this learner cannot be reset")).to_contain_text("1")

    let_all_pass()
    page.get_by_role("button", name="Retry 1 failed learner").click()
    finish(page)
    assert set(records_of(scene.course).values()) == {0}


def test_a_running_reset_is_cancelled_from_its_page(sign_in: SignIn, start_worker: Callable[..., Worker]) -> None:
    scene = make_scene(learners=2000, completed=100)
    slow_down(1.5)
    start_worker()
    page = sign_in(ADMIN)
    open_course_dialog(page)
    page.get_by_label("Reason").fill(REASON)
    page.get_by_label("Type").fill(COURSE)
    page.get_by_role("button", name="Reset progress").click()
    page.wait_for_url("**/resets/*")
    expect(page.locator("#live").get_by_text("running", exact=True)).to_be_visible()
    page.get_by_text("Cancel this reset").click()
    page.wait_for_timeout(2500)  # two polls, which must not close the open section
    page.get_by_role("button", name="Cancel reset").click()
    finish(page, "cancelled")
    assert records_of(scene.course)["completion"] > 0


def test_the_page_of_a_reset_keeps_its_content_while_the_server_does_not_respond(
    sign_in: SignIn, start_worker: Callable[..., Worker]
) -> None:
    scene = make_scene(completed=100)
    reset = scene.request()
    page = sign_in(ADMIN)
    page.goto(f"/resets/{reset}")
    page.route("**/live*", lambda route: route.fulfill(status=503, content_type="text/html", body="<p>Busy</p>"))
    expect(page.get_by_text("The server is not responding")).to_be_visible()
    expect(page.locator("#live")).to_be_visible()
    expect(page.get_by_text("Busy")).to_have_count(0)
    page.unroute("**/live*")
    start_worker()
    finish(page)
    expect(page.get_by_text("The server is not responding")).to_be_hidden()


def test_refused_work_keeps_its_text(sign_in: SignIn) -> None:
    scene = make_scene(learners=1)
    page = sign_in(scene.users()[0].email)
    page.goto(f"/my/courses/{COURSE}")
    part = page.get_by_role("region", name="Assignment 1")
    part.get_by_label("Your answer").fill("A long and careful answer.")
    part.get_by_label("File").set_input_files({"name": "a.exe", "mimeType": "text/plain", "buffer": b"MZ"})
    part.get_by_role("button", name="Hand in").click()
    expect(page.get_by_role("alert")).to_contain_text("It was not saved")
    expect(part.get_by_label("Your answer")).to_have_value("A long and careful answer.")


def test_without_the_permission_there_is_no_menu_entry(sign_in: SignIn) -> None:
    scene = make_scene()
    make_user(scene.organization.id, "manager@acme.example", Permission.COURSES)
    page = sign_in("manager@acme.example")
    menu = page.get_by_role("navigation", name="Main")
    expect(menu.get_by_role("link", name="Training", exact=True)).to_be_visible()
    expect(menu.get_by_role("link", name="Users")).to_have_count(0)
    page.goto("/users")
    expect(page.get_by_text("Platform management: Users")).to_be_visible()

    learner = sign_in(scene.users()[0].email)
    expect(learner.get_by_role("navigation", name="Main").get_by_role("link")).to_have_text(["My training", "Inbox"])


@pytest.mark.parametrize("scripts", [False])
def test_everything_but_live_updates_works_without_scripts(
    sign_in: SignIn, start_worker: Callable[..., Worker], scripts: bool
) -> None:
    scene = make_scene(completed=100)
    start_worker()
    page = sign_in(ADMIN, scripts=scripts)
    page.get_by_role("link", name="Training", exact=True).click()
    page.get_by_role("link", name="Fire safety").click()
    page.get_by_label("Actions for Fire safety").click()
    page.get_by_role("link", name="Reset course progress").click()
    page.get_by_label("Type").fill("wrong")
    page.get_by_label("Reason").fill(REASON)
    page.get_by_label("Reason").press("Enter")
    assert page.url.endswith("/reset"), "Enter has sent the form"
    page.get_by_role("button", name="Reset progress for 12 learners").click()
    expect(page.get_by_role("alert")).to_contain_text(f"Type the course code {COURSE} exactly")
    expect(page.get_by_label("Reason")).to_have_value(REASON)
    page.get_by_label("Type").fill(COURSE)
    page.get_by_role("button", name="Reset progress for 12 learners").click()
    page.wait_for_url("**/resets/*")
    expect(page.locator("#live").get_by_text("succeeded", exact=True)).to_be_visible(timeout=30_000)
    assert set(records_of(scene.course).values()) == {0}


def test_a_whole_reset_by_keyboard_alone(sign_in: SignIn, start_worker: Callable[..., Worker]) -> None:
    scene = make_scene(completed=100)
    start_worker()
    page = sign_in(ADMIN)
    page.goto("/my/settings")
    keys = page.keyboard

    def go_to(words: str) -> None:
        """Press Tab until the focused element has this text."""
        for _ in range(60):
            keys.press("Tab")
            here = page.evaluate(
                "(e => !e.matches('a, button, input, summary') ? '' :"
                " e.getAttribute('aria-label') || e.labels?.[0]?.textContent || e.textContent || '')"
                "(document.activeElement)"
            )
            if words in here:
                return
        pytest.fail(f"Tab never came to {words!r}")

    go_to("Training")
    keys.press("Enter")
    page.wait_for_url("**/courses")
    go_to("Fire safety")
    keys.press("Enter")
    page.wait_for_url(f"**/{COURSE}")
    go_to("Actions for Fire safety")
    keys.press("Enter")
    go_to("Reset course progress")
    keys.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("link", name="Cancel")).to_be_focused()
    go_to("Reason")
    keys.type(REASON)
    go_to("Type")
    keys.type(COURSE)
    go_to("Reset progress for 12 learners")
    keys.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("status")).to_contain_text("Press Space to reset")
    assert ask("SELECT count(*) FROM reset") == 0
    keys.press("Space")
    finish(page)
    assert set(records_of(scene.course).values()) == {0}


def test_a_form_from_before_a_reset_is_refused_and_not_saved(sign_in: SignIn) -> None:
    scene = make_scene()
    learner = learner_of(scene)
    page = sign_in(learner.email)
    page.goto(f"/my/courses/{COURSE}")
    page.get_by_label("Your post").fill("Written before the reset.")
    run("DELETE FROM stored_file")
    for kind in ("lesson_progress", "practical_assessment", "discussion_post", "assignment_submission"):
        run(f"DELETE FROM {kind}")
    run("DELETE FROM completion")
    run("DELETE FROM certificate")
    run("UPDATE enrolment SET registration = uuidv7()")
    page.get_by_role("button", name="Post").click()
    expect(page.get_by_role("alert")).to_contain_text("no longer current")
    assert ask("SELECT count(*) FROM discussion_post") == 0
