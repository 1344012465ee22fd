"""What does not do its work is said in words: one text for pages, the command line and `recourse doctor`."""

from datetime import UTC, datetime

from tasks.outbox.every import OUTBOXES as HANDLERS
from tasks.trouble_words import OUTBOXES, words_of
from tasks.troubles import Kind, Trouble

SINCE = datetime(2026, 11, 29, 18, 15, tzinfo=UTC)
NAMED = {Kind.TICKS: "interactive", Kind.QUEUE: "bulk"}


def test_every_trouble_says_what_is_wrong_and_what_to_do() -> None:
    assert str(words_of(Trouble(Kind.QUEUE, "bulk", SINCE))) == (
        "No worker for bulk has been running since 2026-11-29 18:15:00 UTC. "
        "Waiting work is kept, and done once a worker runs. "
        "An operator can start one with: celery -A worker worker -Q bulk"
    )
    assert words_of(Trouble(Kind.BEAT)).wrong == "Beat has never run."
    assert str(words_of(Trouble(Kind.EVERYTHING_PAUSED, "broken", SINCE))) == (
        "Everything has been paused since 2026-11-29 18:15:00 UTC: broken "
        "No resets or rules start. An operator must resume it."
    )
    for kind in Kind:
        said = words_of(Trouble(kind, NAMED.get(kind, "mail"), SINCE, 12))
        assert ("12" if kind in (Kind.FAILING, Kind.GIVEN_UP) else "18:15") in said.wrong
        assert said.advice or kind == Kind.ORGANIZATION_PAUSED


def test_every_outbox_has_a_name() -> None:
    assert set(OUTBOXES) == {handler.name for handler in HANDLERS}
