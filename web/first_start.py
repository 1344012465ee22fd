"""The address to set up an empty installation, written to the log."""

import time

from fastapi import FastAPI

from config.log import logger
from config.settings import settings
from models.first_start import LIFETIME
from models.session import Session, after_commit
from tasks.people.first_start import offer_first_start

log = logger(__name__)


def log_first_start(app: FastAPI, session: Session) -> None:
    """Log the address if there is no organization yet, once per lifetime of the address."""
    if getattr(app.state, "first_start_logged_until", 0.0) > time.monotonic():
        return
    token = offer_first_start(session)
    if token is not None:
        app.state.first_start_logged_until = time.monotonic() + LIFETIME.total_seconds()
        address = f"{settings().public_url}/first-start?token={token}"
        hours = LIFETIME.total_seconds() / 3600
        after_commit(session, lambda: log.warning("first_start", address=address, holds_hours=hours))
