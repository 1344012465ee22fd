"""Dates and numbers as people read them: on pages, in e-mails, and on certificates.

Locales are those of the Unicode CLDR. English puts the day before the month, as in British use.
"""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal

ENGLISH = "en_GB"


def long_day(day: date, locale: str) -> str:
    """Return `5 March 2026`."""
    return format_date(day, "long", locale)


def short_day(day: date) -> str:
    """Return `5 Mar 2026`."""
    return format_date(day, "medium", ENGLISH)


def short_moment(moment: datetime, zone: ZoneInfo) -> str:
    """Return `5 Mar 2026, 14:05` on the clock of `zone`."""
    return format_datetime(moment, "d MMM y, HH:mm", zone, ENGLISH)


def number(value: int, locale: str = ENGLISH) -> str:
    """Return the number with its thousands separated: `12,345`."""
    return format_decimal(value, locale=locale)
