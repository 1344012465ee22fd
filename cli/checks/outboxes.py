"""The outboxes: they get rid of their items."""

from cli.checks.finding import FaultyError, Places, found_and_remedy
from models.session import transaction
from tasks.troubles import outbox_troubles, signs_of


def check(_: Places) -> str:
    with transaction() as session:
        found = outbox_troubles(signs_of(session, None))
    if found:
        raise FaultyError(
            "; ".join(found_and_remedy(one)[0] for one in found),
            "See whether what they are sent to works, and “When something outside hangs” in docs/operate.md.",
        )
    return "nothing is overdue"
