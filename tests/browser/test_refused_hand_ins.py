"""What a learner sees on a phone when their work is refused; no text is lost."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.scenes import COURSE, Scene, ask, make_scene, run

SignIn = Callable[..., Page]
PHONE = {"width": 390, "height": 844}
ANSWER = "A long and careful answer."
MEGABYTE = 1_000_000


@pytest.fixture
def scene(database: str, set_up: Callable[..., None]) -> Scene:
    set_up(file_limit_mb=1)
    return make_scene(learners=1, completed=0, begun=0)


@pytest.fixture
def course(sign_in: SignIn, scene: Scene) -> Page:
    return on_a_phone(sign_in, scene)


def on_a_phone(sign_in: SignIn, scene: Scene, *, scripts: bool = True) -> Page:
    page = sign_in(scene.users()[0].email, width=PHONE["width"], scripts=scripts)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto(f"/my/courses/{COURSE}")
    return page


def assignment(page: Page) -> Locator:
    return page.get_by_role("region", name="Assignment 1")


def write(page: Page) -> Locator:
    part = assignment(page)
    part.get_by_label("Your answer").fill(ANSWER)
    return part


def a_file(name: str, content: bytes) -> dict[str, object]:
    return {"name": name, "mimeType": "text/plain", "buffer": content}


def expect_alert_at_the_top(page: Page, words: str) -> None:
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(words)
    expect(alert).to_be_focused()
    expect(alert).to_be_in_viewport(ratio=1)
    assert page.evaluate("scrollY") == 0


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_a_refused_file_is_reported_at_the_top_of_the_page_with_focus(
    sign_in: SignIn, scene: Scene, scripts: bool
) -> None:
    page = on_a_phone(sign_in, scene, scripts=scripts)
    part = write(page)
    part.get_by_label("File").set_input_files(a_file("a.exe", b"MZ"))  # type: ignore[arg-type]
    part.get_by_role("button", name="Hand in Assignment 1").click()
    if scripts:
        expect_alert_at_the_top(page, "It was not saved")
    else:
        expect(page.get_by_role("alert")).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("alert")).to_contain_text("Choose the file again")
    page.get_by_role("link", name="Go to “Assignment 1”").click()
    expect(assignment(page).get_by_label("Your answer")).to_be_in_viewport()
    expect(assignment(page).get_by_label("Your answer")).to_have_value(ANSWER)


def test_a_tab_from_before_a_reset_says_so_at_the_top(course: Page) -> None:
    for button in ("Mark as done Lesson 1", "Post", "Hand in Assignment 1"):
        course.goto(f"/my/courses/{COURSE}")
        course.get_by_label("Your post").fill("Where is the exit?")
        write(course)
        run("UPDATE enrolment SET registration = uuidv7()")
        course.get_by_role("button", name=button).click()
        expect_alert_at_the_top(course, "This registration is no longer current")
    expect(assignment(course).get_by_label("Your answer")).to_have_value(ANSWER)


def test_reloading_a_refused_page_leads_back_to_the_course(course: Page) -> None:
    course.get_by_label("Your post").fill(" ")
    course.get_by_role("button", name="Post").click()
    expect_alert_at_the_top(course, "neither text nor a file")
    course.goto(course.url)
    expect(course.get_by_role("heading", name="Fire safety")).to_be_visible()


def test_a_file_that_is_too_large_is_reported_before_it_is_sent(course: Page, tmp_path: Path) -> None:
    large = tmp_path / "large.txt"
    large.write_bytes(b"x" * (MEGABYTE + 1))
    sent: list[str] = []
    course.on("request", lambda request: sent.append(request.method))
    part = write(course)
    part.get_by_label("File").set_input_files(large)
    expect(part.get_by_role("alert")).to_contain_text("larger than 1 MB")
    part.get_by_role("button", name="Hand in Assignment 1").click()
    course.wait_for_timeout(300)
    assert "POST" not in sent
    # A smaller file is sent
    part.get_by_label("File").set_input_files(a_file("small.txt", b"Down the stairs."))  # type: ignore[arg-type]
    expect(part.get_by_role("alert")).to_have_text("")
    part.get_by_role("button", name="Hand in Assignment 1").click()
    expect(course.get_by_text("Handed in.")).to_be_visible()


@pytest.mark.parametrize("megabytes", [1.5, 8])
def test_without_scripts_the_server_reports_it_and_the_text_is_kept(
    sign_in: SignIn, scene: Scene, tmp_path: Path, megabytes: float
) -> None:
    large = tmp_path / "large.txt"
    large.write_bytes(b"x" * int(megabytes * MEGABYTE))
    page = on_a_phone(sign_in, scene, scripts=False)
    part = write(page)
    part.get_by_label("File").set_input_files(large)
    part.get_by_role("button", name="Hand in Assignment 1").click()
    expect(page.get_by_role("alert")).to_contain_text("larger than 1 MB")
    expect(page.get_by_role("alert")).to_be_in_viewport(ratio=1)
    expect(assignment(page).get_by_label("Your answer")).to_have_value(ANSWER)
    assert ask("SELECT count(*) FROM assignment_submission") == ask("SELECT count(*) FROM stored_file") == 0


def test_text_is_restored_after_an_expired_session(course: Page, scene: Scene) -> None:
    write(course)
    run("DELETE FROM web_session")
    assignment(course).get_by_role("button", name="Hand in Assignment 1").click()
    course.wait_for_url(re.compile(r"/sign-in\?next=/my/courses/"))
    course.get_by_label("E-mail address").fill(scene.users()[0].email)
    course.get_by_label("Password").fill("correct horse battery staple")
    course.get_by_role("button", name="Sign in").click()
    course.wait_for_url(f"**/my/courses/{COURSE}")
    expect(course.get_by_text("Your text was not saved; it is back in its field.")).to_be_focused()
    expect(assignment(course).get_by_label("Your answer")).to_have_value(ANSWER)
    # Once saved, it is not restored again
    assignment(course).get_by_role("button", name="Hand in Assignment 1").click()
    expect(course.get_by_text("Handed in.")).to_be_visible()
    course.goto(f"/my/courses/{COURSE}")
    expect(assignment(course).get_by_label("Your answer")).to_have_value("")
    assert ask("SELECT body FROM assignment_submission") == ANSWER


def test_signing_out_deletes_drafts_from_the_browser(course: Page) -> None:
    course.get_by_label("Your post").fill(" ")
    course.get_by_role("button", name="Post").click()
    kept = "Object.keys(sessionStorage).filter((key) => key.startsWith('draft')).length"
    assert course.evaluate(kept) == 1
    course.locator("details.account summary").click()
    course.get_by_role("button", name="Sign out").click()
    course.wait_for_url(re.compile("/sign-in"))
    assert course.evaluate(kept) == 0
