"""Pausing and resuming, as a training admin does it: by keyboard, for one reset and for all."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from models.access import Permission
from tests.post import Post
from tests.scenes import ask, make_scene, report_of, state_of
from tests.web import make_user

SignIn = Callable[..., Page]
ADMIN = "admin@acme.example"


def test_one_reset_and_all_are_paused_and_resumed_by_keyboard(
    sign_in: SignIn, axe: Callable[[Page], list[str]], post: Post
) -> None:
    scene = make_scene()
    reset = scene.request()
    post.deliver(post.take()[0])
    letters = post.take()
    for letter in letters[:3]:
        post.deliver(letter)
    page = sign_in(ADMIN)
    page.goto(f"/resets/{reset}")
    # One reset: its reason is asked for, and its page says who paused it and why
    page.get_by_text("Pause this reset").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("the figures look wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This reset is paused: the figures look wrong")).to_be_visible()
    expect(page.locator("#live")).to_contain_text("Paused by Alex Admin on")
    assert report_of(reset)["paused"]["reason"] == "the figures look wrong"
    assert axe(page) == []
    for letter in letters[3:]:
        post.deliver(letter)
    page.goto("/resets")
    expect(page.locator("td .mark")).to_have_text("paused")
    # All resets, from the list
    page.get_by_text("Pause all resets").first.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("their directory is broken")
    page.keyboard.press("Enter")
    expect(page.get_by_text("All resets of the organization are paused:")).to_be_visible()
    assert axe(page) == []
    page.goto(f"/resets/{reset}")
    expect(page.get_by_text("All resets of the organization are paused: their directory is broken")).to_be_visible()
    expect(page.get_by_role("button", name="Resume reset")).to_have_count(0)
    page.goto("/resets")
    page.get_by_role("button", name="Resume all resets").press("Enter")
    expect(page.get_by_text("Resets continue.")).to_be_visible()
    # What was paused by itself is resumed by itself, and ends
    page.goto(f"/resets/{reset}")
    page.get_by_role("button", name="Resume reset").press("Enter")
    expect(page.get_by_text("Pause this reset")).to_be_visible()
    assert ask("SELECT count(*) FROM pause") == 0
    post.drain()
    assert state_of(reset) == "succeeded"


def test_an_operator_pauses_and_resumes_everything_by_keyboard(
    sign_in: SignIn, axe: Callable[[Page], list[str]]
) -> None:
    scene = make_scene(learners=1)
    make_user(scene.organization.id, "olga@acme.example", *Permission)
    page = sign_in("olga@acme.example")
    page.goto("/resets")
    page.get_by_text("Pause everything").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("This concerns every organization")).to_be_visible()
    assert axe(page) == []
    page.keyboard.press("Tab")
    page.keyboard.type("the database moves")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Everything is paused: the database moves")).to_be_visible()
    assert axe(page) == []
    page.get_by_role("button", name="Resume everything").press("Enter")
    expect(page.get_by_text("Everything continues.")).to_be_visible()
    assert ask("SELECT count(*) FROM pause") == 0
