"""What does not do its work: the rules behind the banner of the pages, the page of a reset and `recourse doctor`.

The alert rules in deploy/prometheus-rules.yml have the same limits, but wait longer for beat.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.orm import Session

from config.celery import INTERACTIVE
from config.settings import settings
from models.signs import MOST_GIVEN_UP, Signs, signs

OVERDUE = 900.0  # seconds that the first item of an outbox may be late
TRIED = 4  # attempts of an item, within which most outages pass


class Kind(StrEnum):
    """What is wrong."""

    BEAT = "beat"  # it does not tick
    TICKS = "ticks"  # beat sends them, and no worker carries them out
    QUEUE = "queue"  # no worker reads it
    EVERYTHING_PAUSED = "everything_paused"
    ORGANIZATION_PAUSED = "organization_paused"
    OVERDUE = "overdue"  # an outbox: its items are not tried
    FAILING = "failing"  # an outbox: its items are tried in vain
    GIVEN_UP = "given_up"  # an outbox: many items lately


@dataclass(frozen=True)
class Trouble:
    """Something that does not do its work."""

    kind: Kind
    what: str = ""  # a queue, an outbox, or why something is paused
    since: datetime | None = None
    count: int = 0  # attempts; of what is given up, there are more items than that


def beat_patience() -> float:
    """Returns how many seconds may pass without a tick of beat."""
    return max(30.0, 3 * settings().recover_every_seconds)


def troubles(session: Session, organization_id: int | None) -> list[Trouble]:
    """Returns what does not do its work for an organization, or for any; the most important first. One query."""
    seen = signs_of(session, organization_id)
    found = []
    if seen.paused is not None:
        kind = Kind.EVERYTHING_PAUSED if seen.paused.everything else Kind.ORGANIZATION_PAUSED
        found.append(Trouble(kind, seen.paused.reason, seen.paused.at))
    if is_beat_late(seen):
        found.append(Trouble(Kind.BEAT, since=seen.beat_at))
    if are_ticks_late(seen):
        found.append(Trouble(Kind.TICKS, INTERACTIVE, seen.ticks_at))
    found += [Trouble(Kind.QUEUE, queue, since) for queue, since in sorted(seen.without_worker.items())]
    return found + outbox_troubles(seen)


def signs_of(session: Session, organization_id: int | None) -> Signs:
    """Returns the signs that the rules here judge by."""
    from tasks.outbox.every import OUTBOXES  # loads what sends, which most commands do without

    return signs(session, organization_id, {kind.name: kind.outbox for kind in OUTBOXES if kind.is_on()})


def is_beat_late(seen: Signs) -> bool:
    """Returns whether beat has not ticked for too long, or never."""
    return seen.beat_at is None or seen.now - seen.beat_at > timedelta(seconds=beat_patience())


def are_ticks_late(seen: Signs) -> bool:
    """Returns whether beat ticks and no worker has carried that out for too long.

    Why is not known, since `recover` is what asks: the broker may be away, or a worker for `interactive` missing or
    busy.
    """
    late = timedelta(seconds=2 * beat_patience())
    return seen.ticks_at is not None and not is_beat_late(seen) and seen.now - seen.ticks_at > late


def outbox_troubles(seen: Signs) -> list[Trouble]:
    """Returns the outboxes that do not get rid of their items."""
    found = []
    for name, one in seen.outboxes.items():
        if one.overdue_since is not None and seen.now - one.overdue_since > timedelta(seconds=OVERDUE):
            found.append(Trouble(Kind.OVERDUE, name, one.overdue_since))
        elif one.attempts >= TRIED:
            found.append(Trouble(Kind.FAILING, name, count=one.attempts))
        elif one.given_up > MOST_GIVEN_UP:
            found.append(Trouble(Kind.GIVEN_UP, name, count=MOST_GIVEN_UP))
    return found
