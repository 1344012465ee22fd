"""Lists, worked with by keyboard."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.post import Post
from tests.scenes import make_scene, run

SignIn = Callable[..., Page]
ADMIN = "admin@acme.example"


def test_the_keyboard_moves_through_a_list_and_stays_out_of_fields(
    sign_in: SignIn, axe: Callable[[Page], list[str]]
) -> None:
    make_scene(learners=60)
    run("UPDATE \"user\" SET name = 'Jo ' || lpad(id::text, 3, '0') WHERE email LIKE 'learner-%'")
    page = sign_in(ADMIN)
    page.goto("/users?state=active")
    field = page.get_by_label("Name or e-mail address")
    rows = page.get_by_role("region", name="Users").locator("tbody th a")
    # In a field, keys are letters
    page.keyboard.press("/")
    expect(field).to_be_focused()
    page.keyboard.type("j/")
    expect(field).to_have_value("j/")
    field.fill("jo 0")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?q=jo\+0&state=active$"))
    expect(page.get_by_text("60 users", exact=True)).to_be_visible()
    # Rows, from wherever the focus is
    for key, row in (("j", 0), ("j", 1), ("ArrowDown", 2), ("k", 1), ("ArrowUp", 0), ("k", 0)):
        page.keyboard.press(key)
        expect(rows.nth(row)).to_be_focused()
    page.get_by_role("checkbox", name="Select Jo 004").focus()
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="Jo 005")).to_be_focused()
    assert axe(page) == []
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/users/\d+/qualifications/training$"))
    # Heads sort, and keep what was searched for
    page.go_back()
    page.get_by_role("link", name="E-mail", exact=True).press("Enter")
    expect(page.get_by_role("columnheader", name="E-mail")).to_have_attribute("aria-sort", "ascending")
    expect(field).to_have_value("jo 0")
    page.get_by_role("link", name="E-mail", exact=True).press("Enter")
    expect(page.get_by_role("columnheader", name="E-mail")).to_have_attribute("aria-sort", "descending")
    # They can be switched off, on all pages
    page.get_by_text("Keyboard").click()
    page.get_by_label("Use the keys").uncheck()
    assert axe(page) == []
    page.goto("/resets")
    page.keyboard.press("/")
    expect(page.get_by_label("Course, requester or reason")).not_to_be_focused()


def test_a_search_is_not_taken_away_while_the_reset_runs(sign_in: SignIn, post: Post, one_by_one: None) -> None:
    scene = make_scene(learners=8)
    reset = scene.request()
    post.deliver(post.take()[0])
    page = sign_in(ADMIN)
    page.goto(f"/resets/{reset}?sort=name")
    field = page.get_by_role("searchbox", name="Name or e-mail address")
    field.press_sequentially("learner")
    post.drain()
    expect(page.get_by_role("region", name="Learners").get_by_text("pending")).to_have_count(0)
    expect(field).to_have_value("learner")
    expect(field).to_be_focused()
    field.press("Enter")
    expect(page).to_have_url(re.compile(r"\?q=learner&sort=name"))
    expect(page.get_by_text("8 learners", exact=True)).to_be_visible()
