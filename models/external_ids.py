"""The ids that the platform beside us gives to users, courses and groups.

Wherever a user's address or the code of a course or group names one, `external:` and its external id does too.
"""

from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute

PREFIX = "external:"
LONGEST = 500  # characters
LONGEST_NAME = len(PREFIX) + LONGEST  # of whatever names a user, a course or a group


def external_id_in(name: str) -> str | None:
    """Returns the external id if the name is one with its prefix."""
    return name.removeprefix(PREFIX) if name.startswith(PREFIX) else None


def is_named(
    name: str, code: InstrumentedAttribute[str], external_id: InstrumentedAttribute[str | None]
) -> ColumnElement[bool]:
    """Returns the condition that a row has this code, or this external id after `external:`."""
    wanted = external_id_in(name)
    return code == name if wanted is None else external_id == wanted
