"""Dates and numbers as people read them: on pages, in e-mails, and on certificates.

Locales are those of the Unicode CLDR. English puts the day before the month, as in British use.
"""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date
from babel.numbers import format_decimal, format_percent

from config.languages import BRITISH


def long_day(day: date, locale: str) -> str:
    """Return `5 March 2026`."""
    return format_date(day, "long", locale)


def short_day(day: date, locale: str = BRITISH) -> str:
    """Return `5 Mar 2026`, or `05.03.2026` in German."""
    return format_date(day, "medium", locale)


def short_moment(moment: datetime, zone: ZoneInfo, locale: str = BRITISH) -> str:
    """Return `5 Mar 2026, 14:05` on the clock of `zone`. The clock has 24 hours in every language."""
    there = moment.astimezone(zone)
    return f"{short_day(there, locale)}, {there:%H:%M}"


def number(value: float, locale: str = BRITISH) -> str:
    """Return the number with its thousands separated: `12,345`, or `12.345` in German."""
    return format_decimal(value, locale=locale)


def percent(share: float, locale: str = BRITISH) -> str:
    """Return a share of 1 in whole percent: `64%`, or `64 %` in German."""
    return format_percent(share, locale=locale)
