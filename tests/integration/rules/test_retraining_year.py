"""A year of rules over courses of the OULAD, tick by tick, against due times that were worked out independently."""

import csv
from calendar import monthrange
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from models.access import Actor, acting_user
from models.people import Organization
from models.resets import SETTLED
from models.session import transaction
from models.training import Course
from tasks.imports.oulad import import_oulad
from tests.integration.imports.test_import_oulad import FOLDER, REAL
from tests.post import Post
from tests.rules import CALENDAR, EVENT, ONCE, ROLLING, happen, make, tick
from tests.scenes import Scene, rows, run

YEAR = 2015
BEGIN = datetime(YEAR, 1, 1, tzinfo=UTC)
ZURICH = "Europe/Zurich"
ROLLING_COURSE = "AAA-2013J"
CALENDAR_COURSES = {"hand-made": "BBB-2014B", "real": "AAA-2014J"}
AGAIN_AFTER = 40  # days from a reset until the learner completes the course again
MONTHS = 7

# Swiss clocks in 2015, by law: summer time from 29 March to 25 October, at 1:00 UTC.
SUMMER = (datetime(YEAR, 3, 29, 1, tzinfo=UTC), datetime(YEAR, 10, 25, 1, tzinfo=UTC))


def in_utc(day: date, at: time) -> datetime:
    winter = datetime.combine(day, at, UTC) - timedelta(hours=1)
    summer = datetime.combine(day, at, UTC) - timedelta(hours=2)
    return summer if SUMMER[0] <= summer < SUMMER[1] else winter


def months_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def completions(folder: Path, course: str) -> dict[str, date]:
    """Returns address and day of completion from the files: learners who passed did so when the presentation ended."""
    module, presentation = course.split("-")

    def of(name: str) -> list[dict[str, str]]:
        with (folder / name).open() as lines:
            return [
                row for row in csv.DictReader(lines)
                if (row["code_module"], row["code_presentation"]) == (module, presentation)
            ]  # fmt: skip

    [length] = [int(row["module_presentation_length"]) for row in of("courses.csv")]
    began = date(int(presentation[:4]), 2 if presentation[4] == "B" else 10, 1)
    return {
        f"student-{row['id_student']}@oulad.example": began + timedelta(days=length)
        for row in of("studentInfo.csv")
        if row["final_result"] in ("Pass", "Distinction")
    }


def expected_rolling(folder: Path) -> Counter[tuple[datetime, str]]:
    """Returns due time and address: completed, due `MONTHS` later at 6:00, reset, completed again, and so on."""
    due: Counter[tuple[datetime, str]] = Counter()
    for email, completed in completions(folder, ROLLING_COURSE).items():
        day = completed
        while (at := in_utc(months_later(day, MONTHS), time(6))) < datetime(YEAR + 1, 1, 1, tzinfo=UTC):
            if at > BEGIN:
                due[at, email] += 1
                day = at.date() + timedelta(days=AGAIN_AFTER)
            else:  # due before the rule was made: it never fires
                break
    return due


@pytest.mark.parametrize("data", CALENDAR_COURSES)
def test_in_a_year_of_ticks_every_rule_is_due_exactly_when_expected(data: str, tmp_path: Path, post: Post) -> None:
    folder, calendar_course = REAL if data == "real" else tmp_path, CALENDAR_COURSES[data]
    for name, content in FOLDER.items():
        (tmp_path / name).write_text(content)
    with transaction() as session:
        import_oulad(session, folder, "oulad")
        organization = session.scalars(select(Organization)).one()
        admin: Actor = acting_user(session, organization, "admin@oulad.example")
        by_code = {course.code: course for course in session.scalars(select(Course))}
    scene = Scene(organization, admin, by_code[calendar_course], by_code[ROLLING_COURSE])

    quarterly = make(
        scene, BEGIN, **CALENDAR | {"recurrence": "FREQ=MONTHLY;INTERVAL=3"}, course=calendar_course,
        starts="2014-02-28T02:30", time_zone=ZURICH,
    )  # fmt: skip
    last_sundays = make(
        scene, BEGIN, **CALENDAR | {"recurrence": "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU"}, course=calendar_course,
        starts="2014-03-30T02:30", time_zone=ZURICH,
    )  # fmt: skip
    rolling = make(
        scene, BEGIN, **ROLLING | {"months": MONTHS}, course=ROLLING_COURSE, time_zone=ZURICH, at_time="06:00"
    )
    once = make(scene, BEGIN, **ONCE, course=calendar_course, starts="2015-07-01T12:00", time_zone=ZURICH)
    event = make(scene, BEGIN, **EVENT, course=calendar_course)
    reported = [datetime(YEAR, month, 5, 9, 30, tzinfo=UTC) for month in (2, 5, 11)]

    # When a year passes, with two ticks every three days: when they come does not change what is due
    moment = BEGIN
    waiting = list(reported)
    while moment < datetime(YEAR + 1, 1, 2, tzinfo=UTC):
        while waiting and waiting[0] <= moment:
            at = waiting.pop(0)
            happen(scene, at, f"{at}", course=calendar_course)
        complete_again(moment)
        tick(moment)
        tick(moment)
        post.drain()
        moment += timedelta(days=3)

    # Then each rule was due when expected, and never otherwise
    assert due_times(quarterly) == [in_utc(date(YEAR, month, 28), time(2, 30)) for month in (2, 5, 8, 11)]
    assert due_times(last_sundays) == [
        datetime(YEAR, 3, 29, 1, 30, tzinfo=UTC),  # the clock skips 2:30: 3:30 in summer
        datetime(YEAR, 10, 25, 0, 30, tzinfo=UTC),  # 2:30 comes twice: the first one counts
    ]
    assert due_times(once) == [datetime(YEAR, 7, 1, 10, tzinfo=UTC)]
    assert due_times(event) == reported
    found = Counter(
        (due_at.astimezone(UTC), email)
        for due_at, email in rows(
            """SELECT o.due_at, u.email FROM occurrence o JOIN enrolment e ON e.id = o.enrolment_id
               JOIN "user" u ON u.id = e.user_id WHERE o.rule_id = :rule""",
            rule=rolling,
        )
    )
    wanted = expected_rolling(folder)
    assert found == wanted
    assert set(wanted.values()) == {1}
    assert len({at for at, _ in wanted}) >= 2, "some come due twice in the year"
    # And each occurrence was settled with its reset.
    states = rows("SELECT o.state, r.state FROM occurrence o LEFT JOIN reset r ON r.id = o.reset_id GROUP BY 1, 2")
    assert {(occurrence, reset in SETTLED) for occurrence, reset in states} == {("settled", True)}
    assert {reset for _, reset in states} == {"succeeded"}


def due_times(rule: object) -> list[datetime]:
    found = rows("SELECT due_at FROM occurrence WHERE rule_id = :rule ORDER BY 1", rule=rule)
    return [at.astimezone(UTC) for (at,) in found]


def complete_again(moment: datetime) -> None:
    """Have the learners of the rolling course complete it again, `AGAIN_AFTER` days after they were due."""
    run(
        """UPDATE enrolment e
           SET state = 'completed', progress = 100, completed_at = o.due_day + make_interval(days => :days)
           FROM (SELECT enrolment_id, max(date_trunc('day', due_at AT TIME ZONE 'UTC')) AT TIME ZONE 'UTC'
                        + interval '10 hours' AS due_day
                 FROM occurrence WHERE enrolment_id IS NOT NULL GROUP BY 1) o
           WHERE e.id = o.enrolment_id AND e.completed_at IS NULL
             AND o.due_day + make_interval(days => :days) <= :now""",
        days=AGAIN_AFTER,
        now=moment,
    )
