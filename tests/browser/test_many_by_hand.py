"""Many learners at once, as an admin does it: the dialog, a file, a selection, and who is left out."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.rules import group
from tests.scenes import COURSE, REASON, Scene, ask, do_everything, make_scene, rows

SignIn = Callable[..., Page]
Axe = Callable[[Page], list[str]]
ADMIN = "admin@acme.example"
SIZES = pytest.mark.parametrize(("width", "height"), [(1280, 860), (390, 844)])

SEEN_WHOLE = """element => {
  const box = element.getBoundingClientRect();
  const middle = [box.left + box.width / 2, box.top + box.height / 2];
  const points = [[box.left + 4, box.top + 4], [box.right - 4, box.bottom - 4], middle];
  return points.every(([x, y]) => {
    const top = document.elementFromPoint(x, y);
    return top !== null && (element.contains(top) || top.contains(element) && top.tagName === "LABEL");
  });
}"""


def open_dialog(page: Page, width: int, height: int) -> Locator:
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"/training/content/courses/{COURSE}")
    page.get_by_label("Actions for Fire safety").click()
    page.get_by_role("link", name="Reset course progress").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("link", name="Cancel")).to_be_focused()
    return dialog


def crowded() -> Scene:
    """Return a scene whose dialog has all that a dialog can have."""
    scene = make_scene(learners=60, completed=50, begun=55)
    for enrolment in scene.enrolments()[:2]:
        do_everything(enrolment)
    group(scene, "bern-2", [user.email for user in scene.users()[:3]])
    return scene


@SIZES
def test_the_dialog_shows_the_code_the_options_and_the_button_and_keeps_what_was_typed(
    sign_in: SignIn, axe: Axe, tmp_path: Path, width: int, height: int
) -> None:
    crowded()
    page = sign_in(ADMIN, width=width)
    dialog = open_dialog(page, width, height)
    options = dialog.get_by_text("Options", exact=True)
    code = dialog.get_by_label(f"Type {COURSE} to confirm")
    button = dialog.get_by_role("button", name="Reset progress for 60 learners")
    page.screenshot(path=tmp_path / f"dialog-{width}.png")
    for field in (dialog.get_by_label("Reason"), options, code, button):
        assert field.evaluate(SEEN_WHOLE)
    assert axe(page) == []
    # By keyboard: with the options open, each field is brought into view, and the code and the button stay
    options.focus()
    options.press("Enter")
    for label in ("Reason", "New due date", "Start later", "Send no alerts"):
        field = dialog.get_by_label(label)
        field.focus()
        assert field.evaluate(SEEN_WHOLE), label
        assert code.evaluate(SEEN_WHOLE)
        assert button.evaluate(SEEN_WHOLE)
    page.screenshot(path=tmp_path / f"options-{width}.png")
    assert axe(page) == []
    # When it is refused
    dialog.get_by_label("Reason").fill(REASON)
    dialog.get_by_label("New due date").fill("30")
    dialog.get_by_label("Start later").fill("2001-01-01T06:00")
    dialog.get_by_label("Send no alerts").check()
    code.fill(COURSE)
    button.focus()
    button.press("Space")
    # Then what is wrong is on the screen, its field has the focus, and everything that was typed is still there
    alert = dialog.get_by_role("alert")
    expect(alert).to_contain_text("Choose a start in the future")
    page.screenshot(path=tmp_path / f"refused-{width}.png")
    assert alert.evaluate(SEEN_WHOLE)
    expect(dialog.get_by_label("Start later")).to_be_focused()
    assert dialog.get_by_label("Start later").evaluate(SEEN_WHOLE)
    for label, value in (("Reason", REASON), ("New due date", "30"), (f"Type {COURSE}", COURSE)):
        expect(dialog.get_by_label(label)).to_have_value(value)
    expect(dialog.get_by_label("Send no alerts")).to_be_checked()
    expect(button).to_be_enabled()
    assert axe(page) == []
    assert ask("SELECT count(*) FROM reset") == 0


@SIZES
def test_a_file_of_learners_tells_its_lines_and_who_is_left_out_before_it_resets(
    sign_in: SignIn, axe: Axe, tmp_path: Path, width: int, height: int
) -> None:
    scene = crowded()
    page = sign_in(ADMIN, width=width)
    # Given a learner who is exempt until a day, by hand
    page.goto(f"/training/content/courses/{COURSE}/exemptions")
    page.get_by_label("E-mail address").fill("nobody@acme.example")
    page.get_by_label("Reason").fill("on leave")
    page.get_by_role("button", name="Exempt learner").click()
    expect(page.get_by_role("alert")).to_contain_text("There is no active user")
    expect(page.get_by_label("Reason")).to_have_value("on leave")
    page.get_by_label("E-mail address").fill(scene.users()[0].email)
    page.get_by_label("Last day").fill(f"{datetime.now(UTC) + timedelta(days=9):%Y-%m-%d}")
    page.get_by_role("button", name="Exempt learner").click()
    expect(page.get_by_role("region", name="Exemptions").get_by_role("row")).to_have_count(2)
    page.screenshot(path=tmp_path / f"exemptions-{width}.png", full_page=True)
    assert axe(page) == []
    # When a file is chosen in the dialog, first one that cannot be read
    dialog = open_dialog(page, width, height)
    dialog.get_by_role("link", name="From a file").click()
    field = dialog.get_by_label("File with a line for each learner")
    expect(field).to_be_focused()
    page.screenshot(path=tmp_path / f"file-{width}.png")
    assert axe(page) == []
    field.set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": b"name\nAda\n"})
    dialog.get_by_role("button", name="Show figures").click()
    expect(dialog.get_by_role("alert")).to_contain_text("line 1: the header is wrong")
    named = [user.email for user in scene.users()[:5]]
    lines = ["email", *named, named[0], *(f"nobody-{number}@acme.example" for number in range(30))]
    field.set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": "\n".join(lines).encode()})
    dialog.get_by_role("button", name="Show figures").click()
    # Then its lines are told, and who is left out
    expect(dialog.get_by_text("31 lines left out")).to_be_visible()
    expect(dialog.get_by_text("30 unknown · 1 duplicate")).to_be_visible()
    expect(dialog.get_by_role("row", name="Learners skipped: the learner is exempt")).to_contain_text("1")
    page.screenshot(path=tmp_path / f"list-{width}.png")
    dialog.get_by_text("31 lines left out").click()
    expect(dialog.get_by_text(f"Line 7: {named[0]}: named in line 2 too")).to_be_visible()
    with page.expect_download() as download:
        dialog.get_by_role("link", name="Download all 31 lines as CSV").click()
    assert len(download.value.path().read_text().splitlines()) == 32
    page.screenshot(path=tmp_path / f"lines-{width}.png")
    assert axe(page) == []
    # And the confirmed reset is for the others
    dialog.get_by_label("Reason").fill(REASON)
    dialog.get_by_label(f"Type {COURSE} to confirm").fill(COURSE)
    dialog.get_by_role("button", name="Reset progress for 4 learners").click()
    page.wait_for_url("**/resets/*")
    assert rows("SELECT audience, reason FROM reset") == [("list", REASON)]


@SIZES
def test_users_selected_on_several_pages_are_reset_in_one_course(
    sign_in: SignIn, axe: Axe, tmp_path: Path, width: int, height: int
) -> None:
    crowded()
    page = sign_in(ADMIN, width=width)
    page.set_viewport_size({"width": width, "height": height})
    page.goto("/users")
    boxes = page.get_by_role("region", name="Users").get_by_role("checkbox")
    for place in (2, 3):  # after the one for the whole page, and the admin
        boxes.nth(place).focus()
        boxes.nth(place).press("Space")
    expect(page.get_by_text("2 selected.")).to_be_visible()
    page.screenshot(path=tmp_path / f"users-{width}.png")
    assert axe(page) == []
    page.get_by_role("link", name="Next page").click()
    boxes.nth(1).check()
    expect(page.get_by_text("3 selected, 2 of them on other pages.")).to_be_visible()
    page.get_by_role("combobox", name="Course").select_option(COURSE)
    page.get_by_role("button", name="Show what a reset would remove").click()
    expect(page.get_by_role("button", name="Reset progress for 3 learners")).to_be_visible()
    page.screenshot(path=tmp_path / f"selection-{width}.png", full_page=True)
    assert axe(page) == []
    # All that match: the members of a group, of whom none has to be selected one by one
    page.goto("/users?group=bern-2")
    page.get_by_role("button", name="Clear selection").click()
    page.get_by_label("All 3 users that match").check()
    page.get_by_role("combobox", name="Course").select_option(COURSE)
    page.get_by_role("button", name="Show what a reset would remove").click()
    page.get_by_label("Reason").fill(REASON)
    page.get_by_label(f"Type {COURSE} to confirm").fill(COURSE)
    page.get_by_role("button", name="Reset progress for 3 learners").click()
    page.wait_for_url("**/resets/*")
    assert rows("SELECT audience, (SELECT learners FROM audience_list WHERE id = list_id) FROM reset") == [("list", 3)]
