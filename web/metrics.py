"""`/metrics` for Prometheus: figures of the whole installation, for its operators alone."""

import hmac
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from config.settings import settings
from models.session import DBAPIError, in_words
from web.figures import registry

LOOPBACK = ("127.0.0.1", "::1")
FORWARDED = ("x-forwarded-for", "forwarded", "x-real-ip")

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
def metrics(request: Request, authorization: Annotated[str, Header()] = "") -> Response:
    """The figures, for callers with the `metrics_token`; without that setting, for this machine alone."""
    token = settings().metrics_token
    if token is None:
        if not _from_this_machine(request):
            return PlainTextResponse("Set RECOURSE_METRICS_TOKEN to read metrics from another machine.\n", 403)
    elif not hmac.compare_digest(authorization.encode(), f"Bearer {token.get_secret_value()}".encode()):
        return PlainTextResponse(
            "The bearer token is missing or wrong. Send the value of RECOURSE_METRICS_TOKEN.\n",
            401,
            headers={"WWW-Authenticate": 'Bearer realm="metrics"'},
        )
    try:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
    except DBAPIError as error:  # a failed scrape raises an alert; stale figures would not
        return PlainTextResponse(f"The database is not available: {in_words(error)}\n", 503)


def _from_this_machine(request: Request) -> bool:
    """Returns whether the caller is local. A local proxy is too, but marks what it forwards."""
    peer = request.client.host if request.client else ""
    return peer in LOOPBACK and not any(name in request.headers for name in FORWARDED)
