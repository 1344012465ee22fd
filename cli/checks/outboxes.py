"""The outboxes: they get rid of their items."""

from cli.checks.finding import FaultyError, Places
from models.session import transaction
from tasks.troubles import Kind, Trouble, outbox_troubles, signs_of


def check(_: Places) -> str:
    with transaction() as session:
        found = outbox_troubles(signs_of(session, None))
    if found:
        raise FaultyError(
            "; ".join(f"{one.what.replace('_', ' ')}: {_words(one)}" for one in found),
            "See whether what they are sent to works, and “When something outside hangs” in docs/operate.md.",
        )
    return "nothing is overdue"


def _words(one: Trouble) -> str:
    if one.kind == Kind.OVERDUE:
        return f"overdue since {one.since:%Y-%m-%d %H:%M %Z}"
    if one.kind == Kind.FAILING:
        return f"{one.count:,} attempts failed"
    return f"more than {one.count:,} given up within the last hour"
