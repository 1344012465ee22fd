"""Beat: it ticks."""

from cli.checks.finding import AwayError, Places, found_and_remedy
from models.session import transaction
from models.signs import signs
from tasks.troubles import Kind, Trouble, is_beat_late


def check(_: Places) -> str:
    with transaction() as session:
        seen = signs(session, None, {})
    if seen.beat_at is None or is_beat_late(seen):
        raise AwayError(*found_and_remedy(Trouble(Kind.BEAT, since=seen.beat_at)))
    return f"it ticked {(seen.now - seen.beat_at).total_seconds():,.0f} s ago"
