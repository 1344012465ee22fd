"""How long it takes until the last slice is done after a fault."""

import time

from models.session import DBAPIError
from tests.scenes import ask
from tests.workers import until

RECOVERED_AFTER = 45.0  # seconds, as promised in docs/reliability.md
OPEN_SLICES = (
    "SELECT (SELECT count(*) FROM reset_slice WHERE settled_at IS NULL) "
    "+ (SELECT count(*) FROM reset WHERE state = 'requested')"
)


def seconds_until(nothing_left: str, since: float, limit: float = 600) -> float:
    """Wait until the query gives 0. Returns the seconds that have passed since then."""
    until(lambda: unless_down(nothing_left) == 0, limit)
    return time.monotonic() - since


def unless_down(query: str) -> int | None:
    """Returns what the query gives, `None` if the database does not answer."""
    try:
        return int(ask(query) or 0)
    except DBAPIError:
        return None
