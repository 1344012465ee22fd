"""Whether the web app is alive, and whether it can do its work: for whoever starts, restarts and balances it."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from models.session import DBAPIError, check_database, in_words
from web.proxies import comes_past_the_proxy

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def alive() -> dict[str, str]:
    """200 while the process answers, also where all its threads are at work: what is away, a restart would not mend."""
    return {"status": "ok"}


@router.get("/readyz")
def ready() -> JSONResponse:
    """200 if requests can be served, else 503. The broker is not asked: without it resets are written down and wait."""
    try:
        check_database()
    except DBAPIError as error:
        return JSONResponse({"status": "unavailable", "database": in_words(error)}, 503)
    told = {"status": "ok", "database": "ok"}
    if comes_past_the_proxy():
        told["proxy"] = "not trusted"  # for `recourse doctor`; the log says which
    return JSONResponse(told)
