"""The geometry of the chart *Completion over time*: shares become heights, and days places from left to right.

Across, everything is in percent of the width, so that letters and lines keep their size on a narrow screen. See
`web/templates/course_chart.html`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from models.course_days import Day, completion_over_time
from models.session import Session
from models.training import Course

WIDTH, HEIGHT = 1000, 180  # of the box that the lines are in; it is stretched to the width of the page
SHOWN = timedelta(days=364)
MOST_POINTS = 100  # if there are more days, one of each week is shown
SHORTEST = timedelta(days=6)  # from left to right, so that a single day is a point at the right


@dataclass(frozen=True)
class Line:
    """One series. Its points are those of an SVG polyline; `end` is the height of its last point."""

    kind: str
    points: str
    end: float


@dataclass(frozen=True)
class Tick:
    """A day under the chart, at a percentage of the width. Narrow screens do not show the minor ones."""

    day: date
    at: float
    minor: bool
    anchor: str


@dataclass(frozen=True)
class Mark:
    """A day with resets, at a percentage of the width."""

    day: Day
    at: float


@dataclass(frozen=True)
class CourseChart:
    """All that is drawn. `days` are the shown ones, in order; the table has the same."""

    days: list[Day]
    lines: list[Line]
    marks: list[Mark]
    ticks: list[Tick]


def chart_of(session: Session, course: Course) -> CourseChart | None:
    """Returns the chart of the course's last year, or `None` if it has too few learners."""
    return course_chart(completion_over_time(session, course, datetime.now(UTC).date() - SHOWN))


def course_chart(days: Sequence[Day]) -> CourseChart | None:
    """Returns the chart of these days, which are in order, or `None` if there are none."""
    if not days:
        return None
    shown = thinned(days)
    last = shown[-1].day
    first = min(shown[0].day, last - SHORTEST)

    def place(day: date) -> float:
        return round(100 * (day - first) / (last - first), 2)

    series = {
        "due": [one.due / one.assigned for one in shown],
        "completed": [one.completed / one.assigned for one in shown],
        "overdue": [one.overdue / one.assigned for one in shown],
    }
    lines = [
        Line(
            kind,
            " ".join(
                f"{place(one.day) * WIDTH / 100:.1f},{_height(share):.1f}"
                for one, share in zip(shown, shares, strict=True)
            ),
            _height(shares[-1]),
        )
        for kind, shares in series.items()
    ]
    return CourseChart(
        shown, lines, [Mark(one, place(one.day)) for one in shown if one.resets], _ticks(first, last, place)
    )


def thinned(days: Sequence[Day]) -> list[Day]:
    """Returns the days, or if there are many, one of each week, and those with resets and those before them."""
    if len(days) <= MOST_POINTS:
        return list(days)
    last = len(days) - 1
    return [
        one
        for number, one in enumerate(days)
        if (last - number) % 7 == 0 or one.resets or days[min(number + 1, last)].resets
    ]


def _height(share: float) -> float:
    return HEIGHT * (1 - share)


def _ticks(first: date, last: date, place: Callable[[date], float]) -> list[Tick]:
    quarters = [first + (last - first) * number / 4 for number in range(5)]
    anchors = ("start", "middle", "middle", "middle", "end")
    return [Tick(day, place(day), number % 2 == 1, anchors[number]) for number, day in enumerate(quarters)]
