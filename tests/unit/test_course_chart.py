"""The geometry of the chart *Completion over time*."""

from datetime import date, timedelta

from models.course_days import Day
from web.course_chart import HEIGHT, course_chart, thinned

FIRST = date(2026, 1, 1)


def days(number: int, *, reset_on: int | None = None) -> list[Day]:
    return [
        Day(FIRST + timedelta(days=n), 100, n % 101, 50, 10, *((1, 40) if n == reset_on else (0, 0)))
        for n in range(number)
    ]


def test_shares_become_heights_and_days_become_places() -> None:
    chart = course_chart(days(101, reset_on=50)[::50])
    assert chart is not None
    assert {line.kind: line.points for line in chart.lines} == {
        "due": "0.0,90.0 500.0,90.0 1000.0,90.0",
        "completed": "0.0,180.0 500.0,90.0 1000.0,0.0",
        "overdue": "0.0,162.0 500.0,162.0 1000.0,162.0",
    }
    assert [(mark.at, mark.day.learners_reset) for mark in chart.marks] == [(50.0, 40)]
    assert [(tick.at, tick.anchor, tick.minor) for tick in chart.ticks] == [
        (0.0, "start", False),
        (25.0, "middle", True), (50.0, "middle", False), (75.0, "middle", True), (100.0, "end", False)
    ]  # fmt: skip


def test_a_single_day_is_a_point_at_the_right() -> None:
    assert course_chart([]) is None
    chart = course_chart(days(1))
    assert chart is not None
    assert [(line.points, line.end) for line in chart.lines if line.kind == "completed"] == [("1000.0,180.0", HEIGHT)]
    assert chart.ticks[0].day == FIRST - timedelta(days=6)


def test_of_many_days_one_a_week_is_shown_and_every_reset_with_the_day_before() -> None:
    year = days(365, reset_on=200)
    shown = thinned(year)
    assert len(shown) < 60
    assert shown[-1] == year[-1]
    assert {year[199], year[200]} <= set(shown)
