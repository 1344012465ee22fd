"""Pauses: not a fault, but the first thing to know when nothing goes on."""

from collections import Counter

from cli.checks.finding import Places
from models.pauses import PauseScope, all_pauses
from models.session import transaction


def check(_: Places) -> str:
    with transaction() as session:
        found = [shown for _, shown in all_pauses(session)]
    if not found:
        return "nothing is paused"
    widest = found[0]
    if widest.scope == PauseScope.EVERYTHING:
        return f"everything is paused since {widest.at:%Y-%m-%d %H:%M %Z} by {widest.by}: {widest.reason}"
    counts = Counter(one.scope for one in found)
    words = (f"{counts[scope]:,} {scope}{'s' if counts[scope] > 1 else ''}" for scope in PauseScope if counts[scope])
    return f"paused: {', '.join(words)}"
