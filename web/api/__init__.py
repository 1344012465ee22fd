"""The HTTP API, `/v1`: an endpoint file a noun, its bodies and answers in `schemas`.

Beside the endpoints:

    document             the OpenAPI document
    responses            problems and headers, as endpoints document them
    parameters           parameters of several endpoints
    paging               lists in pages
    idempotency          requests that are done once
    json_route           bodies that are not JSON
    unknown_parameters   query parameters that do not exist
"""

from fastapi import APIRouter

from web.api import (
    access,
    analytics,
    audience_lists,
    enrolments,
    events,
    evidence,
    exemptions,
    groups,
    imports,
    installation,
    learning,
    me,
    organization,
    participants,
    plans,
    reset_requests,
    reset_stream,
    resets,
    rule_proposals,
    rules,
    tokens,
    users,
    webhooks,
)
from web.api.document import describe
from web.api.unknown_parameters import refuse_unknown_parameters

__all__ = ["ROUTERS", "describe", "refuse_unknown_parameters"]

ROUTERS: list[APIRouter] = [
    plans.router,
    audience_lists.router,
    reset_requests.router,
    resets.router,
    organization.router,
    installation.router,
    reset_stream.router,
    exemptions.router,
    enrolments.router,
    learning.router,
    imports.router,
    analytics.router,
    rule_proposals.router,
    rules.router,
    events.router,
    groups.router,
    users.router,
    access.router,
    participants.router,
    evidence.router,
    webhooks.router,
    tokens.router,
    me.router,
]
