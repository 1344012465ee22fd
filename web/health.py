"""Liveness and readiness, for process managers and load balancers."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from models.session import DBAPIError, check_database, in_words
from web.proxies import is_proxy_untrusted

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def alive() -> dict[str, str]:
    """200 while the process answers, even with all its threads busy. A missing database is no reason to restart it."""
    return {"status": "ok"}


@router.get("/readyz")
def ready() -> JSONResponse:
    """200 if requests can be served, else 503. The broker does not count: without it, resets are recorded and wait."""
    try:
        check_database()
    except DBAPIError as error:
        return JSONResponse({"status": "unavailable", "database": in_words(error)}, 503)
    status = {"status": "ok", "database": "ok"}
    if is_proxy_untrusted():
        status["proxy"] = "not trusted"  # for `recourse doctor`; the log names the proxy
    return JSONResponse(status)
