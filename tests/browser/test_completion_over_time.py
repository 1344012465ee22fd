"""Completion over time: the chart and the table behind it, on a wide and on a narrow screen."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from playwright.sync_api import Page, expect

from tests.post import Post
from tests.scenes import COURSE, make_scene, run

COURSE_PAGE, ANALYTICS = f"/training/content/courses/{COURSE}", f"/training/analytics/{COURSE}"
DAYS = """
INSERT INTO course_day (course_id, day, assigned, completed, due, overdue)
SELECT :course, (now() AT TIME ZONE 'UTC')::date - ago, 60, 60 - ago / 10, 40, ago / 10 FROM generate_series(1, 300) ago
"""


@pytest.mark.parametrize(("width", "light"), [(1280, "light"), (390, "dark")])
def test_the_chart_is_legible_and_has_a_table_behind_it(
    sign_in: Callable[..., Page], axe: Callable[[Page], list[str]], post: Post, width: int, light: str
) -> None:
    scene = make_scene(learners=60, completed=50)
    run(DAYS, course=scene.course.id)
    scene.request()
    post.drain()
    run("UPDATE reset_slice SET settled_at = settled_at - interval '20 days'")
    page = sign_in("admin@acme.example", width=width, light=light)
    for path in (COURSE_PAGE, ANALYTICS):
        page.goto(path)
        chart = page.get_by_role("img", name="Completion of Fire safety from")
        expect(chart).to_be_visible()
        assert chart.locator("polyline").count() == 3
        assert "learners reset" in (chart.locator("g.reset title").text_content() or "")
        # Letters keep their size, do not touch each other, and stay on the screen
        boxes = [text.bounding_box() for text in chart.locator("text").all() if text.is_visible()]
        days = sorted(
            (box for box in boxes if box and box["y"] > max(b["y"] for b in boxes if b) - 5), key=lambda b: b["x"]
        )
        assert len(days) == (5 if width == 1280 else 3)
        assert all(box["height"] >= 12 for box in days)
        assert all(one["x"] + one["width"] < two["x"] for one, two in pairwise(days))
        assert all(box and box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
        page.get_by_text("Figures by day").click()
        figures = page.get_by_role("region", name="Figures by day")
        assert figures.get_by_role("row").count() < 60
        assert figures.get_by_role("row").nth(1).get_by_role("cell").all_text_contents()[0] == "60"
        assert axe(page) == []
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width


def test_a_small_course_says_why_it_has_no_chart_and_a_new_one_begins_with_a_point(
    sign_in: Callable[..., Page],
) -> None:
    scene = make_scene(learners=12, completed=6)
    page = sign_in("admin@acme.example")
    page.goto(COURSE_PAGE)
    expect(page.get_by_text("The chart has lines from tomorrow.")).to_be_visible()
    run(
        "UPDATE enrolment SET unassigned_at = now() WHERE course_id = :course AND id > :third",
        course=scene.course.id,
        third=scene.enrolments()[2].id,
    )
    page.goto(COURSE_PAGE)
    expect(page.get_by_text("Shown for courses with 10 learners or more")).to_be_visible()


def test_paper_has_the_page_without_what_one_can_do_there(sign_in: Callable[..., Page], post: Post) -> None:
    scene = make_scene(learners=60, completed=50)
    run(DAYS, course=scene.course.id)
    reset = scene.request()
    post.drain()
    page = sign_in("admin@acme.example", light="dark")
    for path in (COURSE_PAGE, ANALYTICS, f"/resets/{reset}", "/evidence"):
        page.goto(path)
        page.emulate_media(media="print", color_scheme="dark")
        seen = page.locator("nav, button, .button, form, input, summary").all()
        assert [one.inner_text() for one in seen if one.is_visible()] == []
        assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(0, 0, 0)"
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgba(0, 0, 0, 0)"
        page.emulate_media(media="screen")
