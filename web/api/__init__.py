"""The HTTP API, `/v1`: a file a noun."""

from fastapi import APIRouter

from web.api import analytics, groups, imports, learning, me, plans, resets, rules, users
from web.api import events as reported_events
from web.api import reset_stream as events
from web.api.document import describe
from web.api.unknown import nothing_unknown

__all__ = ["ROUTERS", "describe", "nothing_unknown"]

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
