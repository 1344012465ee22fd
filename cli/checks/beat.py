"""Beat: it ticks."""

from cli.checks.finding import AwayError, Places
from models.heartbeat import BEAT, seconds_since_heartbeat
from models.session import transaction
from tasks.troubles import START_BEAT, beat_patience


def check(_: Places) -> str:
    with transaction() as session:
        seconds = seconds_since_heartbeat(session, BEAT)
    remedy = f"Start it, once in the whole installation: `{START_BEAT}`. Without it, lost messages stay lost."
    if seconds is None:
        raise AwayError("it has never run", remedy)
    if seconds > beat_patience():
        raise AwayError(f"its last tick was {seconds:,.0f} s ago", remedy)
    return f"it ticked {seconds:,.0f} s ago"
