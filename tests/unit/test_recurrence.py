"""When rules are due: recurrences, months after completion, and what daylight saving does to them."""

from calendar import monthrange
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.recurrence import (
    checked,
    completed_until,
    due_after,
    due_days,
    due_on,
    in_words,
    moment,
    on_the_clock,
    zone,
)
from models.refusals import RecurrenceInvalid, TimeZoneUnknown

# Zones with odd histories: half an hour of daylight saving, a day that was left out, changes at midnight, none at all.
ZONES = ("Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/Santiago", "Asia/Kolkata",
         "Africa/Casablanca", "UTC")  # fmt: skip
LOCAL_TIMES = st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1)).map(
    lambda at: at.replace(second=0, microsecond=0)
)
RECURRENCES = st.sampled_from(
    ("FREQ=DAILY", "FREQ=DAILY;INTERVAL=3", "FREQ=WEEKLY;BYDAY=MO,TH", "FREQ=MONTHLY", "FREQ=MONTHLY;BYMONTHDAY=-1",
     "FREQ=MONTHLY;BYDAY=2TU", "FREQ=YEARLY", "FREQ=YEARLY;INTERVAL=2", "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU")
)  # fmt: skip


def due(recurrence: str | None, starts: datetime, time_zone: str, after: datetime, count: int) -> list[datetime]:
    return list(islice(due_after(recurrence, starts, time_zone, after), count))


def test_the_first_of_march_each_year_stays_at_six_on_the_clock() -> None:
    starts = datetime(2024, 3, 1, 6)
    assert due("FREQ=YEARLY", starts, "Europe/Zurich", datetime(2026, 7, 1, tzinfo=UTC), 2) == [
        datetime(2027, 3, 1, 5, tzinfo=UTC),
        datetime(2028, 3, 1, 5, tzinfo=UTC),
    ]
    every_month = due("FREQ=MONTHLY", starts, "Europe/Zurich", datetime(2026, 1, 1, tzinfo=UTC), 12)
    assert [at.hour for at in every_month] == [5, 5, 5, 4, 4, 4, 4, 4, 4, 4, 5, 5]


def test_a_time_that_the_clock_leaps_over_is_due_as_much_later_as_it_leaps() -> None:
    # 2:30 on 29 March 2026 is not on Swiss clocks: 2:00 is followed by 3:00.
    [due_at] = due(None, datetime(2026, 3, 29, 2, 30), "Europe/Zurich", datetime(2026, 1, 1, tzinfo=UTC), 1)
    assert due_at == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert on_the_clock(due_at, "Europe/Zurich") == datetime(2026, 3, 29, 3, 30)


def test_a_time_that_the_clock_shows_twice_is_due_the_first_time_and_once() -> None:
    # 2:30 on 25 October 2026 comes twice, at 0:30 and at 1:30 UTC.
    starts = datetime(2026, 10, 24, 2, 30)
    assert due("FREQ=DAILY", starts, "Europe/Zurich", datetime(2026, 10, 24, 12, tzinfo=UTC), 2) == [
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 26, 1, 30, tzinfo=UTC),
    ]


def test_a_day_that_a_country_left_out_is_not_due_twice() -> None:
    # Samoa went from 29 to 31 December 2011.
    starts = datetime(2011, 12, 29, 6)
    days = due("FREQ=DAILY", starts, "Pacific/Apia", datetime(2011, 12, 29, tzinfo=UTC), 3)
    assert [on_the_clock(at, "Pacific/Apia") for at in days] == [
        datetime(2011, 12, 29, 6),
        datetime(2011, 12, 31, 6),
        datetime(2012, 1, 1, 6),
    ]


def test_one_moment_is_due_once_and_a_past_one_never() -> None:
    starts = datetime(2026, 3, 1, 6)
    assert due(None, starts, "UTC", datetime(2026, 2, 1, tzinfo=UTC), 5) == [datetime(2026, 3, 1, 6, tzinfo=UTC)]
    assert due(None, starts, "UTC", datetime(2026, 3, 1, 6, tzinfo=UTC), 5) == []
    assert due(None, starts, "UTC", datetime(2026, 4, 1, tzinfo=UTC), 5) == []


@settings(max_examples=150, deadline=None)
@given(recurrence=RECURRENCES, starts=LOCAL_TIMES, time_zone=st.sampled_from(ZONES), later=st.integers(-400, 4000))
def test_due_times_follow_each_other_lie_ahead_and_show_the_time_of_day_that_was_asked_for(
    recurrence: str, starts: datetime, time_zone: str, later: int
) -> None:
    after = moment(starts, time_zone) + timedelta(days=later)
    times = due(recurrence, starts, time_zone, after, 20)
    assert times
    assert times[0] > after
    assert all(earlier < one for earlier, one in pairwise(times))
    there = ZoneInfo(time_zone)
    for at in times:
        shown = at.astimezone(there).replace(tzinfo=None)
        if shown.time() != starts.time():
            # Then there is no such time on that day: whichever way it is read, the clock shows another one.
            day = shown.date() if shown.time() > starts.time() else shown.date() - timedelta(days=1)
            wished = datetime.combine(day, starts.time())
            for fold in (0, 1):
                back = wished.replace(tzinfo=there, fold=fold).astimezone(UTC).astimezone(there).replace(tzinfo=None)
                assert back != wished


@settings(max_examples=150, deadline=None)
@given(recurrence=RECURRENCES, starts=LOCAL_TIMES, time_zone=st.sampled_from(ZONES), cut=st.integers(0, 18))
def test_wherever_one_looks_from_the_same_times_are_due(
    recurrence: str, starts: datetime, time_zone: str, cut: int
) -> None:
    times = due(recurrence, starts, time_zone, moment(starts, time_zone) - timedelta(days=2), 20)
    assert due(recurrence, starts, time_zone, times[cut], 19 - cut) == times[cut + 1 :]
    between = times[cut] + (times[cut + 1] - times[cut]) / 2
    assert due(recurrence, starts, time_zone, between, 19 - cut) == times[cut + 1 :]


@settings(max_examples=300, deadline=None)
@given(day=st.dates(date(1995, 1, 1), date(2060, 1, 1)), months=st.integers(1, 120))
def test_the_days_of_completion_that_are_due_by_a_day_end_where_due_days_go_beyond_it(day: date, months: int) -> None:
    last = completed_until(day, months)
    assert due_on(last, months) <= day
    assert due_on(last + timedelta(days=1), months) > day


def test_a_completion_on_the_last_day_of_a_long_month_is_due_on_the_last_day_of_a_short_one() -> None:
    assert due_on(date(2025, 8, 31), 6) == date(2026, 2, 28)
    assert due_on(date(2024, 2, 29), 12) == date(2025, 2, 28)
    assert completed_until(date(2026, 2, 28), 6) == date(2025, 8, 31)


@settings(max_examples=100, deadline=None)
@given(
    after=st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)),
    days=st.integers(1, 60),
    at=st.times().map(lambda one: one.replace(second=0, microsecond=0)),
    time_zone=st.sampled_from(ZONES),
)
def test_each_day_on_the_clock_has_its_moment(after: datetime, days: int, at: time, time_zone: str) -> None:
    until = after + timedelta(days=days)
    found = list(due_days(after, until, at, time_zone))
    assert all(after < due_at <= until for _, due_at in found)
    assert all(one[0] < other[0] and one[1] < other[1] for one, other in pairwise(found))
    assert days - 1 <= len(found) <= days + 1
    # And two stretches of time have the same days as the whole.
    middle = after + (until - after) / 2
    assert [*due_days(after, middle, at, time_zone), *due_days(middle, until, at, time_zone)] == found


@pytest.mark.parametrize(
    ("recurrence", "words"),
    [
        ("FREQ=YEARLY", "each year on 31 March"),
        ("FREQ=YEARLY;INTERVAL=2", "every 2 years on 31 March"),
        ("FREQ=MONTHLY;BYDAY=1MO,-1FR", "each month on the first Monday and the last Friday"),
        ("FREQ=WEEKLY;COUNT=5", "each week on Tuesday, 5 times in all"),
        ("FREQ=YEARLY;BYMONTH=3,9;BYMONTHDAY=1", "each year on day 1 of March and September"),
        ("FREQ=MONTHLY;BYSETPOS=-1;BYDAY=MO,FR", "each month (BYSETPOS=-1;BYDAY=MO,FR)"),
        ("FREQ=DAILY;UNTIL=20261231", "each day, until 2026-12-31"),
    ],
)
def test_a_recurrence_is_said_in_plain_words(recurrence: str, words: str) -> None:
    starts = datetime(2026, 3, 31, 6)
    assert in_words(checked(recurrence.lower(), starts), starts) == words


def test_until_includes_the_day_it_names_and_count_counts_from_the_start() -> None:
    starts, before = datetime(2026, 3, 1, 6), datetime(2026, 2, 1, tzinfo=UTC)
    assert len(due("FREQ=DAILY;UNTIL=20260310", starts, "UTC", before, 99)) == 10
    assert len(due("FREQ=DAILY;COUNT=10", starts, "UTC", before, 99)) == 10
    assert len(due("FREQ=DAILY;COUNT=10", starts, "UTC", datetime(2026, 3, 8, tzinfo=UTC), 99)) == 3


@pytest.mark.parametrize(
    "recurrence",
    ["", "FREQ", "FREQ=HOURLY", "FREQ=DAILY;BYHOUR=1,2", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;FREQ=WEEKLY",
     "FREQ=WEEKLY;BYDAY=XX", "FREQ=DAILY;COUNT=3;UNTIL=20300101", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
     "FREQ=DAILY;COUNT=0", "RDATE=20260101", "FREQ=DAILY;UNTIL=tomorrow", "FREQ=DAILY\nRRULE:FREQ=DAILY",
     "FREQ=YEARLY;BYMONTHDAY=", "FREQ=DAILY;COUNT=99999999999"],
)  # fmt: skip
def test_what_is_no_recurrence_for_a_rule_is_refused(recurrence: str) -> None:
    with pytest.raises(RecurrenceInvalid):
        checked(recurrence, datetime(2026, 3, 1, 6))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(["FREQ=DAILY", "FREQ=YEARLY", "BYDAY=",
                               "BYMONTH=0", "UNTIL=2026", ";", "=", "INTERVAL=-1", "\x00", "é"]))
    .map(";".join)
    | st.text(max_size=30)
)  # fmt: skip
def test_whatever_is_written_is_taken_or_refused_and_nothing_else(text: str) -> None:
    with suppress(RecurrenceInvalid):
        checked(text, datetime(2026, 3, 1, 6))


@pytest.mark.parametrize("name", ["", "Europe/Bern", "../etc/passwd", "Europe", "/etc/localtime", "UTC\x00"])
def test_a_time_zone_goes_by_its_iana_name(name: str) -> None:
    with pytest.raises(TimeZoneUnknown):
        zone(name)


def test_months_have_the_days_they_have() -> None:
    for year in (2023, 2024):
        for month in range(1, 13):
            last = date(year, month, monthrange(year, month)[1])
            assert completed_until(due_on(last, 12), 12) >= last
