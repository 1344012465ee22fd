"""The HTTP API, `/v1`: a file a noun."""

from fastapi import APIRouter

from web.api import events, plans, resets
from web.api.document import describe

__all__ = ["ROUTERS", "describe"]

ROUTERS: list[APIRouter] = [plans.router, resets.router, events.router]
