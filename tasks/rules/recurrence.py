"""When a rule is due: local times on the clock of a time zone, and the moments that they are.

A due time is a time on the wall clock, and stays it across daylight saving: 06:00 is 06:00 in March and in July. What
the clock shows twice is due the first time; what it leaps over is due as much later as it leaps, as RFC 5545 says in
section 3.3.5. Everything here is a function of its arguments: no clock is read and no database asked.
"""

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import cast
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from dateutil.rrule import rrule, rrulestr

from models.refusals.organizations import TimeZoneUnknown
from models.refusals.rules import RecurrenceInvalid

_ALWAYS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"}
# What narrows a frequency down. More of them would be a day that is looked for day by day, and may never come.
_PARTS = {
    "DAILY": {"BYDAY"},
    "WEEKLY": {"BYDAY"},
    "MONTHLY": {"BYMONTH", "BYMONTHDAY", "BYDAY", "BYSETPOS"},
    "YEARLY": {"BYMONTH", "BYMONTHDAY", "BYDAY", "BYSETPOS", "BYYEARDAY", "BYWEEKNO"},
}
_HIGHEST = {"BYMONTH": 12, "BYMONTHDAY": 31, "BYYEARDAY": 366, "BYWEEKNO": 53, "BYSETPOS": 366}
_DAY = re.compile(r"([+-]?[1-9][0-9]?)?(MO|TU|WE|TH|FR|SA|SU)")
LONGEST_RECURRENCE = 300  # characters
LONGEST_INTERVAL = 1000
MOST_TIMES = 1000  # that COUNT may ask for: they are counted from the first one each time
FIRST_YEAR, LAST_YEAR = 1970, 2199
_THE_END = datetime(LAST_YEAR, 12, 31, 23, 59, 59)  # noqa: DTZ001 - on the rule's clock
# The calendar is the same every 400 years. `rrule` looks until the year 9999 for what is never due, whatever `until`
# says, so it is told these rules as if they were of the last centuries before that.
_LATER = 19 * 400


def zone(name: str) -> ZoneInfo:
    """The time zone of this IANA name, such as Europe/Zurich. Raises `TimeZoneUnknown`."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # not found, a folder of the database, no name at all
        raise TimeZoneUnknown(name) from None


def moment(local: datetime, time_zone: str) -> datetime:
    """The moment at which the clocks there show this time, in UTC."""
    return local.replace(tzinfo=zone(time_zone), fold=0).astimezone(UTC)


def on_the_clock(at: datetime, time_zone: str) -> datetime:
    """What the clocks there show at this moment."""
    return at.astimezone(zone(time_zone)).replace(tzinfo=None, fold=0)


def checked(recurrence: str, starts: datetime) -> str:
    """The recurrence in one form, such as `FREQ=YEARLY;BYMONTH=3`. Raises `RecurrenceInvalid`.

    Days and longer only, since a course is not reset by the hour; the time of day is that of `starts`.
    """
    check_first(starts)
    text = recurrence.strip().upper().removeprefix("RRULE:")
    parts = dict(part.partition("=")[::2] for part in text.split(";"))
    if len(text) > LONGEST_RECURRENCE or not re.fullmatch(r"[A-Z0-9=;,+-]+", text) or len(parts) != text.count("="):
        raise RecurrenceInvalid("Write its parts as NAME=VALUE, each once, separated by “;”.")
    if (frequency := parts.get("FREQ")) not in _PARTS:
        raise RecurrenceInvalid("Give FREQ=DAILY, WEEKLY, MONTHLY or YEARLY.")
    if parts.keys() - _PARTS[frequency] - _ALWAYS:
        allowed = ", ".join(sorted(_PARTS[frequency] | _ALWAYS - {"FREQ"}))
        raise RecurrenceInvalid(f"With FREQ={frequency} it may have the parts {allowed}.")
    interval = _number(parts.get("INTERVAL", "1"))
    if not 1 <= interval <= LONGEST_INTERVAL:
        raise RecurrenceInvalid(f"INTERVAL must be from 1 to {LONGEST_INTERVAL:,}.")
    if not 1 <= _number(parts.get("COUNT", "1")) <= MOST_TIMES:
        raise RecurrenceInvalid(f"COUNT must be from 1 to {MOST_TIMES:,}.")
    if "COUNT" in parts and "UNTIL" in parts:
        raise RecurrenceInvalid("Give COUNT or UNTIL, not both.")
    for name in parts.keys() & _HIGHEST.keys():
        _check_numbers(name, parts[name], may_be_negative=name != "BYMONTH")
    if "BYDAY" in parts:
        _check_days(parts["BYDAY"], may_have_numbers="BYWEEKNO" not in parts and frequency in ("MONTHLY", "YEARLY"))
    # Every so many whole weeks is always the same day of the week.
    never = frequency == "DAILY" and interval % 7 == 0 and _WEEKDAY[starts.weekday()] not in parts.get("BYDAY", _ANY)
    if never or next(due_after(text, starts, "UTC", moment(starts, "UTC") - timedelta(days=2)), None) is None:
        raise RecurrenceInvalid("It is never due.")
    return text


def check_first(starts: datetime) -> None:
    """Raises `RecurrenceInvalid` unless the first date of a rule lies where dates can be reckoned with."""
    if not FIRST_YEAR <= starts.year <= LAST_YEAR:
        raise RecurrenceInvalid(f"Give a first date between {FIRST_YEAR} and {LAST_YEAR}.")


def _check_numbers(name: str, text: str, *, may_be_negative: bool) -> None:
    for word in text.split(","):
        number = _number(word.lstrip("+-") if may_be_negative and len(word) - len(word.lstrip("+-")) <= 1 else word)
        if not 1 <= number <= _HIGHEST[name]:
            or_back = f", or from -1 to -{_HIGHEST[name]} to count from the end" if may_be_negative else ""
            raise RecurrenceInvalid(f"{name} takes numbers from 1 to {_HIGHEST[name]}{or_back}, separated by commas.")


def _check_days(text: str, *, may_have_numbers: bool) -> None:
    for word in text.split(","):
        found = _DAY.fullmatch(word)
        if found is None or (found[1] and not (may_have_numbers and abs(int(found[1])) <= 53)):
            numbers = ", with a number before it where the first or last one is meant: 1MO, -1FR" * may_have_numbers
            raise RecurrenceInvalid(f"BYDAY takes MO, TU, WE, TH, FR, SA and SU{numbers}, separated by commas.")


def due_after(recurrence: str | None, starts: datetime, time_zone: str, after: datetime) -> Iterator[datetime]:
    """The moments later than `after` at which it is due, in order, each once; without a recurrence, `starts` alone.

    Raises `RecurrenceInvalid`.
    """
    last = after
    # A day too early: a local time that the clock leaps over is due later than it looks.
    for local in _local_times(recurrence, starts, on_the_clock(after, time_zone) - timedelta(days=2)):
        due = moment(local, time_zone)
        if due > last:  # where a whole day was left out, two local times are one moment
            yield due
            last = due


def _local_times(recurrence: str | None, starts: datetime, after: datetime) -> Iterator[datetime]:
    if recurrence is None:
        yield starts
        return
    parts = dict(part.split("=") for part in recurrence.split(";"))
    most = int(parts.pop("COUNT", "0")) or None
    until = min(_until(parts.pop("UNTIL", None)), _THE_END)
    begin = starts if most else _nearest(parts, starts, after)
    try:
        there = cast("rrule", rrulestr(";".join(map("=".join, parts.items())), dtstart=_years_on(begin, _LATER)))
        times = (_years_on(local, -_LATER) for local in there.replace(until=_years_on(until, _LATER)))
        for local in islice(times, most):
            if local > after:
                yield local
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise RecurrenceInvalid(f"It cannot be read: {error}.") from None


def _nearest(parts: dict[str, str], starts: datetime, after: datetime) -> datetime:
    """A beginning that gives the same times later than `after` and leaves most of the earlier ones out."""
    days = {"DAILY": 1, "WEEKLY": 7}.get(parts["FREQ"])
    if days is None or after <= starts:
        return starts
    interval = timedelta(days=days * int(parts.get("INTERVAL", "1")))
    return starts + max(0, (after - starts) // interval - 1) * interval


def _years_on(local: datetime, years: int) -> datetime:
    return local.replace(year=local.year + years)


def _until(text: str | None) -> datetime:
    """The last moment, on the rule's clock; a day alone is meant to its end."""
    if text is None:
        return datetime.max  # noqa: DTZ901 - on the rule's clock
    try:
        return datetime.strptime(text if "T" in text else text + "T235959", "%Y%m%dT%H%M%S")  # noqa: DTZ007
    except ValueError:
        raise RecurrenceInvalid("Write UNTIL as 20301231 or 20301231T120000.") from None


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else 0


def completed_until(due: date, months: int) -> date:
    """The last day of completion that is due by the day `due`, `months` later. The inverse of `due_on`.

    The last day of a month stands for all the days that a longer month had: 28 February is a month after 31 January.
    """
    earlier = due - relativedelta(months=months)
    if due.day == monthrange(due.year, due.month)[1]:
        return earlier.replace(day=monthrange(earlier.year, earlier.month)[1])
    return earlier


def due_on(completed: date, months: int) -> date:
    """The day on which a completion of that day is due."""
    return completed + relativedelta(months=months)


def due_days(after: datetime, until: datetime, at: time, time_zone: str) -> Iterator[tuple[date, datetime]]:
    """The days on the clock there whose time `at` is later than `after` and not later than `until`, with the moment."""
    day = on_the_clock(after, time_zone).date() - timedelta(days=2)
    last = after
    while (due := moment(datetime.combine(day, at), time_zone)) <= until:
        if due > last:
            yield day, due
            last = due
        day += timedelta(days=1)


_WEEKDAY = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_ANY = ",".join(_WEEKDAY)
_UNITS = {"DAILY": ("day", "days"), "WEEKLY": ("week", "weeks"), "MONTHLY": ("month", "months"),
          "YEARLY": ("year", "years")}  # fmt: skip
_WEEKDAYS = {"MO": "Monday", "TU": "Tuesday", "WE": "Wednesday", "TH": "Thursday", "FR": "Friday", "SA": "Saturday",
             "SU": "Sunday"}  # fmt: skip
_ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", -1: "last", -2: "last but one"}


def in_words(recurrence: str, starts: datetime) -> str:
    """A recurrence as people say it: `each year on 1 March`. What has no plain words is added as it stands."""
    parts = dict(part.split("=") for part in recurrence.split(";"))
    interval = int(parts.get("INTERVAL", "1"))
    one, many = _UNITS[parts["FREQ"]]
    words = f"each {one}" if interval == 1 else f"every {interval} {many}"
    spoken = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"}
    if (
        "BYDAY" in parts
        and (weekdays := _weekdays(parts["BYDAY"]))
        and not parts.keys() - spoken - {"BYDAY", "BYMONTH"}
    ):
        words += f" on {weekdays}"
        spoken.add("BYDAY")
        if "BYMONTH" in parts:
            words += f" of {_listed([_month(int(number)) for number in parts['BYMONTH'].split(',')])}"
            spoken.add("BYMONTH")
    elif parts.keys() - spoken == {"BYMONTH", "BYMONTHDAY"}:
        days, months = (parts[name].split(",") for name in ("BYMONTHDAY", "BYMONTH"))
        words += f" on day {_listed(days)} of {_listed([_month(int(number)) for number in months])}"
        spoken |= {"BYMONTH", "BYMONTHDAY"}
    elif not parts.keys() - spoken:
        day = {"YEARLY": f" on {starts.day} {_month(starts.month)}", "MONTHLY": f" on day {starts.day}",
               "WEEKLY": f" on {list(_WEEKDAYS.values())[starts.weekday()]}"}  # fmt: skip
        words += day.get(parts["FREQ"], "")
    if rest := [f"{name}={value}" for name, value in parts.items() if name not in spoken]:
        words += f" ({';'.join(rest)})"
    if "COUNT" in parts:
        words += f", {int(parts['COUNT']):,} times in all"
    if "UNTIL" in parts:
        words += f", until {parts['UNTIL'][:4]}-{parts['UNTIL'][4:6]}-{parts['UNTIL'][6:8]}"
    return words


def _weekdays(byday: str) -> str:
    names = []
    for word in byday.split(","):
        number, day = word[:-2], _WEEKDAYS.get(word[-2:])
        ordinal = _ORDINALS.get(int(number)) if re.fullmatch(r"[+-]?[0-9]+", number) else None
        if day is None or (number and ordinal is None):
            return ""
        names.append(f"the {ordinal} {day}" if ordinal else day)
    return _listed(names)


def _month(number: int) -> str:
    return f"{date(2000, number, 1):%B}"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
