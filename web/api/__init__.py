"""The HTTP API, `/v1`: a file a noun."""

from fastapi import APIRouter

from web.api import analytics, events, groups, imports, learning, me, plans, reported_events, resets, rules, users
from web.api.document import describe

__all__ = ["ROUTERS", "describe"]

ROUTERS: list[APIRouter] = [
    plans.router,
    resets.router,
    events.router,
    learning.router,
    imports.router,
    analytics.router,
    rules.router,
    reported_events.router,
    groups.router,
    users.router,
    me.router,
]
