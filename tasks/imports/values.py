"""The values of imported files: what each column holds, and how a value is checked."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from config.languages import gettext, translatable
from models.external_ids import LONGEST

CODE = re.compile(r"[A-Za-z0-9._-]{1,64}")
EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


NUMBER = (str, int, float)
A_PERCENTAGE = translatable("must be a number from 0 to 100")
MUST_BE: dict[type | tuple[type, ...], str] = {
    str: translatable("must be text"),
    list: translatable("must be a list"),
    NUMBER: A_PERCENTAGE,
}


class WrongError(ValueError):
    """A value is not valid in its column; the message says what it must be, in the language spoken."""

    def __init__(self, must_be: str, **values: object) -> None:
        """`must_be` is in English, with placeholders such as `{longest}` for the values."""
        super().__init__(must_be)
        self.must_be, self.values = must_be, values

    def __str__(self) -> str:
        return gettext(self.must_be, **self.values)


Check = Callable[[Any], Any]  # returns the value for the database; raises `WrongError`


@dataclass(frozen=True)
class Column:
    """A column of a CSV file, or a key of a JSON object."""

    check: Check
    required: bool = False
    takes: type | tuple[type, ...] = str

    def checked(self, value: Any) -> Any:
        """Returns the value for the database, `None` if it is empty. Raises `WrongError`."""
        if isinstance(value, bool):
            value = "true" if value else "false"
        elif isinstance(value, str):
            value = value.strip()
            if not is_storable(value):
                raise WrongError(translatable("contains a character that is not allowed"))
        if value in (None, ""):
            if self.required:
                raise WrongError(translatable("must not be empty"))
            return None
        if not isinstance(value, self.takes):
            raise WrongError(MUST_BE[self.takes])
        return self.check(value)


def is_storable(value: str) -> bool:
    """Whether PostgreSQL can store the text: no NUL, and no lone surrogate, which JSON can contain."""
    return "\x00" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


def text(longest: int) -> Check:
    """Text of up to `longest` characters."""

    def check(value: str) -> str:
        if len(value) > longest:
            raise WrongError(translatable("must have at most {longest:,} characters"), longest=longest)
        return value

    return check


def matching(pattern: re.Pattern[str], must_be: str, longest: int = 320) -> Check:
    """Text that matches the whole pattern. `must_be` says what that is."""

    def check(value: str) -> str:
        if len(value) > longest or not pattern.fullmatch(value):
            raise WrongError(must_be)
        return value

    return check


def one_of(values: type[StrEnum]) -> Check:
    """One of the values."""

    def check(value: str) -> str:
        if value not in list(values):
            raise WrongError(translatable("must be one of {values}"), values=", ".join(values))
        return value

    return check


def yes_or_no(value: str) -> bool:
    """`true` or `false`."""
    if value not in ("true", "false"):
        raise WrongError(translatable("must be true or false"))
    return value == "true"


def moment(value: str) -> datetime:
    """A date and time with a time zone, in ISO 8601."""
    wrong = WrongError(translatable("must be a date and time with a time zone, such as 2027-01-31T12:00:00Z"))
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise wrong from None
    if found.tzinfo is None or not 1970 <= found.year <= 9000:
        raise wrong
    return found


def progress(value: str | float) -> int:
    """A share in percent, 0 to 100, rounded down."""
    return int(_percent(value))


def score(value: str | float) -> Decimal:
    """A score, 0 to 100, with two decimals."""
    return round(_percent(value), 2)


def _percent(value: str | float) -> Decimal:
    wrong = WrongError(A_PERCENTAGE)
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        raise wrong from None
    if not found.is_finite() or not 0 <= found <= 100:
        raise wrong
    return found


def group_code(value: str) -> str:
    """The code of a group."""
    if len(value) > 100 or "/" in value:
        raise WrongError(translatable("must have 1 to 100 characters, without “/”"))
    return value


def time_zone(value: str) -> str:
    """The name of a time zone."""
    if value not in _time_zones():
        raise WrongError(translatable("must be the name of a time zone, such as Europe/Zurich"))
    return value


@lru_cache(maxsize=1)
def _time_zones() -> set[str]:
    return available_timezones()  # reads a folder


external_id = text(LONGEST)
course_code = matching(
    CODE, translatable("must be a course code of 1 to 64 letters, digits, dots, hyphens and underscores")
)
email = matching(EMAIL, translatable("must be an e-mail address"))
locale = matching(LOCALE, translatable("must be a language tag, such as de-CH"), 35)
