"""When a rule is due: local times on the clock of a time zone, and their moments in UTC.

A due time is a time on the wall clock and keeps it across daylight saving: 06:00 is 06:00 in March and in July. A time
that the clock shows twice is due the first time. A time that the clock skips is due as much later as the clock skips,
as RFC 5545 (3.3.5) specifies. All functions here are pure: they read no clock and no database.
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

from config.languages import gettext, locale_spoken, translatable
from models.refusals.organizations import TimeZoneUnknown
from models.refusals.rules import RecurrenceInvalid

_ALWAYS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"}
# The parts that may narrow a frequency down. With others, `rrule` could search day by day for a day that never comes.
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
MOST_TIMES = 1000  # for COUNT, which is counted from the start on every read
FIRST_YEAR, LAST_YEAR = 1970, 2199
_THE_END = datetime(LAST_YEAR, 12, 31, 23, 59, 59)  # noqa: DTZ001 - on the rule's clock
# `rrule` searches for a rule that is never due until the year 9999, whatever `until` says. The calendar repeats every
# 400 years, so rules are evaluated in the last centuries before 9999.
_LATER = 19 * 400


def zone(name: str) -> ZoneInfo:
    """Returns the time zone with this IANA name, such as Europe/Zurich. Raises `TimeZoneUnknown`."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # not found, a folder of the database, not a valid name
        raise TimeZoneUnknown(name) from None


def moment(local: datetime, time_zone: str) -> datetime:
    """Returns the moment, in UTC, at which clocks in the time zone show this time."""
    return local.replace(tzinfo=zone(time_zone), fold=0).astimezone(UTC)


def on_the_clock(at: datetime, time_zone: str) -> datetime:
    """Returns the time that clocks in the time zone show at this moment."""
    return at.astimezone(zone(time_zone)).replace(tzinfo=None, fold=0)


def checked(recurrence: str, starts: datetime) -> str:
    """Returns the recurrence in normal form, such as `FREQ=YEARLY;BYMONTH=3`. Raises `RecurrenceInvalid`.

    Only days and longer units are valid: no course is reset by the hour. The time of day is that of `starts`.
    """
    check_first(starts)
    text = recurrence.strip().upper().removeprefix("RRULE:")
    parts = dict(part.partition("=")[::2] for part in text.split(";"))
    if len(text) > LONGEST_RECURRENCE or not re.fullmatch(r"[A-Z0-9=;,+-]+", text) or len(parts) != text.count("="):
        raise RecurrenceInvalid(translatable("Write its parts as NAME=VALUE, each once, separated by “;”."))
    if (frequency := parts.get("FREQ")) not in _PARTS:
        raise RecurrenceInvalid(translatable("Use FREQ=DAILY, WEEKLY, MONTHLY or YEARLY."))
    if parts.keys() - _PARTS[frequency] - _ALWAYS:
        allowed = ", ".join(sorted(_PARTS[frequency] | _ALWAYS - {"FREQ"}))
        raise RecurrenceInvalid(
            gettext("With FREQ={frequency}, use only the parts {allowed}.", frequency=frequency, allowed=allowed)
        )
    interval = _number(parts.get("INTERVAL", "1"))
    if not 1 <= interval <= LONGEST_INTERVAL:
        raise RecurrenceInvalid(
            gettext("INTERVAL must be from 1 to {longest_interval:,}.", longest_interval=LONGEST_INTERVAL)
        )
    if not 1 <= _number(parts.get("COUNT", "1")) <= MOST_TIMES:
        raise RecurrenceInvalid(gettext("COUNT must be from 1 to {most_times:,}.", most_times=MOST_TIMES))
    if "COUNT" in parts and "UNTIL" in parts:
        raise RecurrenceInvalid(translatable("Use COUNT or UNTIL, not both."))
    for name in parts.keys() & _HIGHEST.keys():
        _check_numbers(name, parts[name], may_be_negative=name != "BYMONTH")
    if "BYDAY" in parts:
        _check_days(parts["BYDAY"], may_have_numbers="BYWEEKNO" not in parts and frequency in ("MONTHLY", "YEARLY"))
    # An interval of whole weeks always falls on the same day of the week.
    never = frequency == "DAILY" and interval % 7 == 0 and _WEEKDAYS[starts.weekday()] not in parts.get("BYDAY", _ANY)
    if never or next(due_after(text, starts, "UTC", moment(starts, "UTC") - timedelta(days=2)), None) is None:
        raise RecurrenceInvalid(translatable("It is never due. Choose days that exist."))
    return text


def check_first(starts: datetime) -> None:
    """Raises `RecurrenceInvalid` unless the first date is in the range of supported years."""
    if not FIRST_YEAR <= starts.year <= LAST_YEAR:
        raise RecurrenceInvalid(
            gettext(
                "Choose a first date between {first_year} and {last_year}.", first_year=FIRST_YEAR, last_year=LAST_YEAR
            )
        )


def _check_numbers(name: str, text: str, *, may_be_negative: bool) -> None:
    for word in text.split(","):
        number = _number(word.lstrip("+-") if may_be_negative and len(word) - len(word.lstrip("+-")) <= 1 else word)
        if not 1 <= number <= _HIGHEST[name]:
            sentence = (
                translatable(
                    "{name} takes numbers from 1 to {most}, or from -1 to -{most} to count from the end, separated by "
                    "commas."
                )
                if may_be_negative
                else translatable("{name} takes numbers from 1 to {most}, separated by commas.")
            )
            raise RecurrenceInvalid(gettext(sentence, name=name, most=_HIGHEST[name]))


def _check_days(text: str, *, may_have_numbers: bool) -> None:
    for word in text.split(","):
        found = _DAY.fullmatch(word)
        if found is None or (found[1] and not (may_have_numbers and abs(int(found[1])) <= 53)):
            sentence = (
                translatable(
                    "BYDAY takes MO, TU, WE, TH, FR, SA and SU, optionally with a position such as 1MO (first) or -1FR "
                    "(last), separated by commas."
                )
                if may_have_numbers
                else translatable("BYDAY takes MO, TU, WE, TH, FR, SA and SU, separated by commas.")
            )
            raise RecurrenceInvalid(sentence)


def due_after(recurrence: str | None, starts: datetime, time_zone: str, after: datetime) -> Iterator[datetime]:
    """Yields the due times later than `after`, in order and without duplicates.

    Without a recurrence only `starts` is due. Raises `RecurrenceInvalid`.
    """
    last = after
    # Two days early: a local time that the clock skips is due later than it looks.
    for local in _local_times(recurrence, starts, on_the_clock(after, time_zone) - timedelta(days=2)):
        due = moment(local, time_zone)
        if due > last:  # where a time zone skipped a whole day, two local times are one moment
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
        raise RecurrenceInvalid(gettext("It cannot be read: {error}.", error=error)) from None


def _nearest(parts: dict[str, str], starts: datetime, after: datetime) -> datetime:
    """Returns a later start that yields the same times after `after`, and skips most of the earlier ones."""
    days = {"DAILY": 1, "WEEKLY": 7}.get(parts["FREQ"])
    if days is None or after <= starts:
        return starts
    interval = timedelta(days=days * int(parts.get("INTERVAL", "1")))
    return starts + max(0, (after - starts) // interval - 1) * interval


def _years_on(local: datetime, years: int) -> datetime:
    return local.replace(year=local.year + years)


def _until(text: str | None) -> datetime:
    """Returns the last moment, on the rule's clock. A date without a time includes that whole day."""
    if text is None:
        return datetime.max  # noqa: DTZ901 - on the rule's clock
    try:
        return datetime.strptime(text if "T" in text else text + "T235959", "%Y%m%dT%H%M%S")  # noqa: DTZ007
    except ValueError:
        raise RecurrenceInvalid(translatable("Write UNTIL as 20301231 or 20301231T120000.")) from None


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else 0


def due_on(completed: date, months: int) -> date:
    """Returns the day on which a completion on the day `completed` comes due."""
    return completed + relativedelta(months=months)


def completed_until(due: date, months: int) -> date:
    """Returns the last day of completion that comes due by the day `due`. The inverse of `due_on`.

    The last day of a short month stands for the days that it lacks: 31 January and one month are 28 February.
    """
    earlier = due - relativedelta(months=months)
    if due.day == monthrange(due.year, due.month)[1]:
        return earlier.replace(day=monthrange(earlier.year, earlier.month)[1])
    return earlier


def completions_due(day: date, months: int, time_zone: str) -> tuple[datetime, datetime]:
    """Returns the moments from which and before which a completion comes due on the day `day`."""
    first = completed_until(day - timedelta(days=1), months) + timedelta(days=1)
    end = completed_until(day, months) + timedelta(days=1)
    return moment(datetime.combine(first, time()), time_zone), moment(datetime.combine(end, time()), time_zone)


def due_days(after: datetime, until: datetime, at: time, time_zone: str) -> Iterator[tuple[date, datetime]]:
    """Yields each day on the clock whose time `at` is after `after` and not after `until`, with its moment."""
    day = on_the_clock(after, time_zone).date() - timedelta(days=2)
    last = after
    while (due := moment(datetime.combine(day, at), time_zone)) <= until:
        if due > last:
            yield day, due
            last = due
        day += timedelta(days=1)


_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_ANY = ",".join(_WEEKDAYS)
_EACH = {
    "DAILY": translatable("each day"),
    "WEEKLY": translatable("each week"),
    "MONTHLY": translatable("each month"),
    "YEARLY": translatable("each year"),
}
_EVERY = {
    "DAILY": translatable("every {count} days"),
    "WEEKLY": translatable("every {count} weeks"),
    "MONTHLY": translatable("every {count} months"),
    "YEARLY": translatable("every {count} years"),
}
_ORDINALS = {
    1: translatable("the first {day}"),
    2: translatable("the second {day}"),
    3: translatable("the third {day}"),
    4: translatable("the fourth {day}"),
    5: translatable("the fifth {day}"),
    -1: translatable("the last {day}"),
    -2: translatable("the second to last {day}"),
}


def in_words(recurrence: str, starts: datetime) -> str:
    """Returns the recurrence in words, such as `each year on 1 March`. Parts without plain words follow as written."""
    parts = dict(part.split("=") for part in recurrence.split(";"))
    interval = int(parts.get("INTERVAL", "1"))
    frequency = parts["FREQ"]
    words = gettext(_EACH[frequency]) if interval == 1 else gettext(_EVERY[frequency], count=interval)
    worded = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"}
    months = _listed([_month(int(number)) for number in parts["BYMONTH"].split(",")]) if "BYMONTH" in parts else ""
    if (
        "BYDAY" in parts
        and (weekdays := _weekdays(parts["BYDAY"]))
        and not parts.keys() - worded - {"BYDAY", "BYMONTH"}
    ):
        words = gettext("{often} on {weekdays}", often=words, weekdays=weekdays)
        worded.add("BYDAY")
        if months:
            words = gettext("{often} of {months}", often=words, months=months)
            worded.add("BYMONTH")
    elif parts.keys() - worded == {"BYMONTH", "BYMONTHDAY"}:
        days = _listed(parts["BYMONTHDAY"].split(","))
        words = gettext("{often} on day {days} of {months}", often=words, days=days, months=months)
        worded |= {"BYMONTH", "BYMONTHDAY"}
    elif not parts.keys() - worded:
        words = _on_the_day_of(frequency, words, starts)
    if rest := [f"{name}={value}" for name, value in parts.items() if name not in worded]:
        words += f" ({';'.join(rest)})"
    if "COUNT" in parts:
        words = gettext("{often}, {count:,} times", often=words, count=int(parts["COUNT"]))
    if "UNTIL" in parts:
        until = f"{parts['UNTIL'][:4]}-{parts['UNTIL'][4:6]}-{parts['UNTIL'][6:8]}"
        words = gettext("{often}, until {day}", often=words, day=until)
    return words


def _on_the_day_of(frequency: str, often: str, starts: datetime) -> str:
    match frequency:
        case "YEARLY":
            return gettext("{often} on {day} {month}", often=often, day=starts.day, month=_month(starts.month))
        case "MONTHLY":
            return gettext("{often} on day {day}", often=often, day=starts.day)
        case "WEEKLY":
            return gettext("{often} on {weekdays}", often=often, weekdays=_weekday(starts.weekday()))
    return often


def _weekdays(byday: str) -> str:
    names = []
    for word in byday.split(","):
        number, day = word[:-2], word[-2:]
        ordinal = _ORDINALS.get(int(number)) if re.fullmatch(r"[+-]?[0-9]+", number) else None
        if day not in _WEEKDAYS or (number and ordinal is None):
            return ""
        name = _weekday(_WEEKDAYS.index(day))
        names.append(gettext(ordinal, day=name) if ordinal else name)
    return _listed(names)


def _weekday(number: int) -> str:
    from babel.dates import get_day_names  # loads for longer than most commands that need no names

    return str(get_day_names("wide", locale=locale_spoken())[number])


def _month(number: int) -> str:
    from babel.dates import get_month_names

    return str(get_month_names("wide", locale=locale_spoken())[number])


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else gettext("{first} and {last}", first=", ".join(words[:-1]), last=words[-1])
