"""Beat: it ticks."""

from cli.checks.finding import AwayError, Places
from config.settings import settings
from models.heartbeat import BEAT, seconds_since_heartbeat
from models.session import transaction


def check(_: Places) -> str:
    with transaction() as session:
        seconds = seconds_since_heartbeat(session, BEAT)
    remedy = "Start it, once in the whole installation: `celery -A worker beat`. Without it, lost messages stay lost."
    if seconds is None:
        raise AwayError("it has never run", remedy)
    if seconds > max(30.0, 3 * settings().recover_every_seconds):
        raise AwayError(f"its last tick was {seconds:,.0f} s ago", remedy)
    return f"it ticked {seconds:,.0f} s ago"
