"""How long to wait between tries of what others may refuse to take. The moment itself is in the database."""

from datetime import datetime

from sqlalchemy import ColumnElement, func

OVER_A_DAY = tuple(minutes * 60 for minutes in (1, 5, 15, 60, 180, 360, 840))
OVER_THREE_DAYS = tuple(minutes * 60 for minutes in (1, 5, 30, 120, 300, 600, 840, 1200, 1260))


def next_try(waits: tuple[int, ...], attempt: int) -> ColumnElement[datetime]:
    """The moment of the try after this one, the `attempt`th; the last wait where there is none after it."""
    return func.now() + func.make_interval(0, 0, 0, 0, 0, 0, waits[min(attempt, len(waits)) - 1])
