"""The way into an empty installation: an address in the log, for whoever can read that."""

import time

import structlog
from fastapi import FastAPI

from config.settings import settings
from models.first_start import LIFETIME
from models.session import Session, after_commit
from tasks.people.first_start import offer_first_start

log = structlog.get_logger(__name__)


def tell_the_way_in(app: FastAPI, session: Session) -> None:
    """Write it to the log where there is no organization yet, once for as long as the address holds."""
    if getattr(app.state, "way_in_holds_until", 0.0) > time.monotonic():
        return
    token = offer_first_start(session)
    if token is not None:
        app.state.way_in_holds_until = time.monotonic() + LIFETIME.total_seconds()
        address = f"{settings().public_url}/first-start?token={token}"
        hours = LIFETIME.total_seconds() / 3600
        after_commit(session, lambda: log.warning("first_start", address=address, holds_hours=hours))
