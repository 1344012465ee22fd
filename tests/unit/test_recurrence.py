"""When rules are due: recurrences, months after completion, and daylight saving."""

import sys
from calendar import monthrange
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.refusals.organizations import TimeZoneUnknown
from models.refusals.rules import RecurrenceInvalid
from tasks.rules.recurrence import (
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

# Zones with odd histories: half an hour of daylight saving, a skipped day, changes at midnight, none at all.
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


def test_a_time_that_the_clock_skips_is_due_as_much_later_as_it_skips() -> None:
    # 2:30 on 29 March 2026 does not exist in Switzerland: 3:00 follows 2:00.
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


def test_a_day_that_a_country_skipped_is_not_due_twice() -> None:
    # Samoa went from 29 to 31 December 2011.
    starts = datetime(2011, 12, 29, 6)
    days = due("FREQ=DAILY", starts, "Pacific/Apia", datetime(2011, 12, 29, tzinfo=UTC), 3)
    assert [on_the_clock(at, "Pacific/Apia") for at in days] == [
        datetime(2011, 12, 29, 6),
        datetime(2011, 12, 31, 6),
        datetime(2012, 1, 1, 6),
    ]


def test_a_single_date_is_due_once_and_a_past_date_never() -> None:
    starts = datetime(2026, 3, 1, 6)
    assert due(None, starts, "UTC", datetime(2026, 2, 1, tzinfo=UTC), 5) == [datetime(2026, 3, 1, 6, tzinfo=UTC)]
    assert due(None, starts, "UTC", datetime(2026, 3, 1, 6, tzinfo=UTC), 5) == []
    assert due(None, starts, "UTC", datetime(2026, 4, 1, tzinfo=UTC), 5) == []


@settings(max_examples=150, deadline=None)
@given(recurrence=RECURRENCES, starts=LOCAL_TIMES, time_zone=st.sampled_from(ZONES), later=st.integers(-400, 4000))
def test_due_times_ascend_lie_in_the_future_and_show_the_requested_time_of_day(
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
            # Then that time does not exist on that day: under either fold the clock shows another one.
            day = shown.date() if shown.time() > starts.time() else shown.date() - timedelta(days=1)
            requested = datetime.combine(day, starts.time())
            for fold in (0, 1):
                back = requested.replace(tzinfo=there, fold=fold).astimezone(UTC).astimezone(there).replace(tzinfo=None)
                assert back != requested


@settings(max_examples=150, deadline=None)
@given(recurrence=RECURRENCES, starts=LOCAL_TIMES, time_zone=st.sampled_from(ZONES), cut=st.integers(0, 18))
def test_the_same_times_are_due_from_every_starting_point(
    recurrence: str, starts: datetime, time_zone: str, cut: int
) -> None:
    times = due(recurrence, starts, time_zone, moment(starts, time_zone) - timedelta(days=2), 20)
    assert due(recurrence, starts, time_zone, times[cut], 19 - cut) == times[cut + 1 :]
    between = times[cut] + (times[cut + 1] - times[cut]) / 2
    assert due(recurrence, starts, time_zone, between, 19 - cut) == times[cut + 1 :]


@settings(max_examples=300, deadline=None)
@given(day=st.dates(date(1995, 1, 1), date(2060, 1, 1)), months=st.integers(1, 120))
def test_completed_until_is_the_last_day_that_is_due_by_the_day(day: date, months: int) -> None:
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
    # And two periods have the same days as the whole.
    middle = after + (until - after) / 2
    assert [*due_days(after, middle, at, time_zone), *due_days(middle, until, at, time_zone)] == found


@pytest.mark.parametrize(
    ("recurrence", "words"),
    [
        ("FREQ=YEARLY", "each year on 31 March"),
        ("FREQ=YEARLY;INTERVAL=2", "every 2 years on 31 March"),
        ("FREQ=MONTHLY;BYDAY=1MO,-1FR", "each month on the first Monday and the last Friday"),
        ("FREQ=WEEKLY;COUNT=5", "each week on Tuesday, 5 times"),
        ("FREQ=YEARLY;BYMONTH=3,9;BYMONTHDAY=1", "each year on day 1 of March and September"),
        ("FREQ=MONTHLY;BYSETPOS=-1;BYDAY=MO,FR", "each month (BYSETPOS=-1;BYDAY=MO,FR)"),
        ("FREQ=DAILY;UNTIL=20261231", "each day, until 2026-12-31"),
    ],
)
def test_a_recurrence_is_described_in_plain_words(recurrence: str, words: str) -> None:
    starts = datetime(2026, 3, 31, 6)
    assert in_words(checked(recurrence.lower(), starts), starts) == words


def test_until_includes_its_day_and_count_starts_at_the_first_date() -> None:
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
def test_an_invalid_recurrence_is_refused(recurrence: str) -> None:
    with pytest.raises(RecurrenceInvalid):
        checked(recurrence, datetime(2026, 3, 1, 6))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(["FREQ=DAILY", "FREQ=YEARLY", "BYDAY=",
                               "BYMONTH=0", "UNTIL=2026", ";", "=", "INTERVAL=-1", "\x00", "é"]))
    .map(";".join)
    | st.text(max_size=30)
)  # fmt: skip
def test_any_text_is_accepted_or_refused(text: str) -> None:
    with suppress(RecurrenceInvalid):
        checked(text, datetime(2026, 3, 1, 6))


@pytest.mark.parametrize("name", ["", "Europe/Bern", "../etc/passwd", "Europe", "/etc/localtime", "UTC\x00"])
def test_only_iana_names_are_time_zones(name: str) -> None:
    with pytest.raises(TimeZoneUnknown):
        zone(name)


def test_the_last_day_of_every_month_counts() -> None:
    for year in (2023, 2024):
        for month in range(1, 13):
            last = date(year, month, monthrange(year, month)[1])
            assert completed_until(due_on(last, 12), 12) >= last


MOST_WORK = 20_000  # function calls that reading any rule may cost


def work(do: Callable[[], object]) -> int:
    """Returns the number of function calls that `do` makes, which is the same on every machine."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        do()
    finally:
        sys.setprofile(before)
    return calls


STARTS = datetime(2026, 3, 1, 6)  # a Sunday


@pytest.mark.parametrize(
    ("recurrence", "starts", "says"),
    [
        ("FREQ=YEARLY;BYMONTH=13", STARTS, "BYMONTH takes numbers from 1 to 12, separated by commas"),
        ("FREQ=YEARLY;BYMONTH=3,13", STARTS, "BYMONTH takes"),
        ("FREQ=YEARLY;BYMONTH=-1", STARTS, "BYMONTH takes"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", STARTS, "BYMONTHDAY takes numbers from 1 to 31, or from -1 to -31"),
        ("FREQ=MONTHLY;BYMONTHDAY=--1", STARTS, "BYMONTHDAY takes"),
        ("FREQ=MONTHLY;BYSETPOS=0;BYDAY=MO", STARTS, "BYSETPOS takes"),
        ("FREQ=YEARLY;BYWEEKNO=54", STARTS, "BYWEEKNO takes"),
        ("FREQ=YEARLY;BYDAY=9999999999MO", STARTS, "BYDAY takes"),
        ("FREQ=YEARLY;BYDAY=XX", STARTS, "BYDAY takes"),
        ("FREQ=WEEKLY;BYDAY=1MO", STARTS, "BYDAY takes MO, TU, WE, TH, FR, SA and SU, separated"),
        ("FREQ=YEARLY", datetime(1, 3, 1), "a first date between 1970 and 2199"),
        ("FREQ=DAILY", datetime(1, 1, 1), "a first date between 1970 and 2199"),
        ("FREQ=YEARLY", datetime(9950, 3, 1), "a first date between 1970 and 2199"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", STARTS, "With FREQ=DAILY, use only the parts BYDAY, COUNT"),
        ("FREQ=WEEKLY;BYMONTH=2", STARTS, "With FREQ=WEEKLY, use only the parts BYDAY, COUNT"),
        ("FREQ=DAILY;INTERVAL=7;BYDAY=MO", STARTS, "never due"),
        ("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30", STARTS, "never due"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", STARTS, "never due"),
        ("FREQ=YEARLY;UNTIL=19991231", STARTS, "never due"),
        ("FREQ=SECONDLY", STARTS, "Use FREQ=DAILY, WEEKLY, MONTHLY or YEARLY"),
        ("FREQ=DAILY;COUNT=999999", STARTS, "COUNT must be from 1 to 1,000"),
        ("FREQ=DAILY;INTERVAL=1001", STARTS, "INTERVAL must be from 1 to 1,000"),
    ],
)
def test_an_impossible_recurrence_is_refused_with_a_sentence_and_little_work(
    recurrence: str, starts: datetime, says: str
) -> None:
    def ask() -> None:
        with pytest.raises(RecurrenceInvalid, match=says):
            checked(recurrence, starts)

    assert work(ask) < MOST_WORK


def test_an_old_daily_rule_costs_no_more_than_a_new_one() -> None:
    for recurrence in ("FREQ=DAILY", "FREQ=DAILY;INTERVAL=3;BYDAY=MO,FR", "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO"):
        starts = datetime(1970, 1, 1, 6)
        assert work(lambda recurrence=recurrence, starts=starts: due(  # type: ignore[misc]
            recurrence, starts, "UTC", datetime(2150, 1, 1, tzinfo=UTC), 12)) < 2_000  # fmt: skip


@settings(deadline=None)
@given(
    st.sampled_from(
        ("FREQ=DAILY", "FREQ=DAILY;INTERVAL=3", "FREQ=DAILY;INTERVAL=5;BYDAY=MO,WE", "FREQ=WEEKLY",
         "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU", "FREQ=WEEKLY;INTERVAL=3;BYDAY=TU,SA;WKST=WE")
    ),
    st.datetimes(datetime(1990, 1, 1), datetime(1996, 1, 1)),
    st.integers(0, 3000),
)  # fmt: skip
def test_skipping_the_past_of_an_old_rule_changes_no_due_time(recurrence: str, starts: datetime, days: int) -> None:
    starts = starts.replace(second=0, microsecond=0)
    after = (starts + timedelta(days=days)).replace(tzinfo=UTC)
    counted = due(f"{recurrence};COUNT=1000", starts, "UTC", after, 1000)  # COUNT is counted from the start
    found = due(recurrence, starts, "UTC", after, max(3, len(counted)))
    assert found[: len(counted)] == counted


PART = st.one_of(
    st.tuples(st.just("FREQ"), st.sampled_from(("DAILY", "WEEKLY", "MONTHLY", "YEARLY", "HOURLY", "SECONDLY", ""))),
    st.tuples(st.sampled_from(("INTERVAL", "COUNT")), st.integers(-1, 10**7).map(str)),
    st.tuples(st.just("UNTIL"), st.sampled_from(("20300101", "00010101", "99991231", "20301231T000000", "2030", ""))),
    st.tuples(
        st.sampled_from(("BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS", "BYHOUR", "BYEASTER")),
        st.lists(st.integers(-400, 400), max_size=4).map(lambda numbers: ",".join(map(str, numbers))),
    ),
    st.tuples(
        st.sampled_from(("BYDAY", "WKST")),
        st.lists(st.from_regex(r"[+-]?[0-9]{0,2}(MO|TU|SU|X)", fullmatch=True), max_size=3).map(",".join),
    ),
    st.tuples(st.text("ABFREQY=;,", max_size=6), st.text(max_size=6)),
)
WELL_FORMED = st.tuples(
    st.sampled_from(("DAILY", "WEEKLY", "MONTHLY", "YEARLY")),
    st.lists(
        st.one_of(
            st.integers(1, 1000).map(lambda number: f"INTERVAL={number}"),
            st.integers(1, 12).map(lambda number: f"BYMONTH={number}"),
            st.integers(-31, 31).map(lambda number: f"BYMONTHDAY={number}"),
            st.integers(-366, 366).map(lambda number: f"BYYEARDAY={number}"),
            st.integers(-53, 53).map(lambda number: f"BYWEEKNO={number}"),
            st.integers(-3, 5).map(lambda number: f"BYSETPOS={number}"),
            st.sampled_from(("BYDAY=MO", "BYDAY=5SU", "BYDAY=-1FR,2MO", "BYDAY=53TU", "WKST=SU", "COUNT=1000")),
        ),
        max_size=4,
        unique_by=lambda part: part.partition("=")[0],
    ),
).map(lambda made: ";".join([f"FREQ={made[0]}", *made[1]]))


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(
        WELL_FORMED, st.lists(PART, max_size=5).map(lambda parts: ";".join(map("=".join, parts))), st.text(max_size=40)
    ),
    st.one_of(st.datetimes(), st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31))),
    st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)),
)
def test_any_input_is_accepted_or_refused_with_little_work(recurrence: str, starts: datetime, now: datetime) -> None:
    def ask() -> None:
        with suppress(RecurrenceInvalid):
            good = checked(recurrence, starts)
            in_words(good, starts)
            assert due(good, starts, "UTC", moment(starts, "UTC") - timedelta(days=2), 1)
            due(good, starts, "Europe/Zurich", now.replace(tzinfo=UTC), 12)

    assert work(ask) < 3 * MOST_WORK  # it is read three times
