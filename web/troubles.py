"""What does not do its work, for the banner above every page: each process asks now and then, not with each page."""

import time
from contextlib import suppress
from dataclasses import dataclass, field

from fastapi import FastAPI

from models.access import Actor
from models.session import DBAPIError, limit_statements, transaction
from tasks.troubles import Trouble, troubles

KEPT = 15.0  # seconds
PATIENCE = 1.0  # seconds


@dataclass
class Kept:
    """What was found last, and when to look again."""

    look_at: float = 0.0  # on the monotonic clock
    found: list[Trouble] = field(default_factory=list)


def troubles_for(app: FastAPI, actor: Actor) -> list[Trouble]:
    """Returns what concerns the actor's organization, perhaps some seconds old; nothing to those who do not manage it.

    One request looks, in a short transaction of its own; those beside it, and it if the database does not answer, get
    what was found before.
    """
    if not actor.has_all():
        return []
    known: dict[int, Kept] = app.state.troubles
    kept = known.setdefault(actor.organization_id, Kept())
    if (now := time.monotonic()) >= kept.look_at:
        kept.look_at = now + KEPT
        with suppress(DBAPIError), transaction() as session:
            limit_statements(session, PATIENCE)
            kept.found = troubles(session, actor.organization_id)
    return kept.found
