"""The ASGI application: `uvicorn web.app:app`."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from anyio.to_thread import current_default_thread_limiter
from fastapi import Depends, FastAPI
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

from config.log import logger
from config.logging import configure_logging
from config.settings import settings
from models.records import RecordKindUnfitError
from models.session import MOST_CONNECTIONS, DBAPIError, forget_engine, transaction
from tasks.app import app as celery
from tasks.at_start import check_record_kinds
from tasks.scim.resources import BASE as SCIM
from tasks.tracing import start_tracing, stop_tracing
from web import api, health, metrics, pages, scim
from web.api.import_files import RUN_AT_ONCE
from web.bodies import spool
from web.bodies.doors import Doors
from web.bodies.reception import Reception
from web.csrf import genuine
from web.first_start import log_first_start
from web.headers import SecurityHeaders
from web.language import BrowsersLanguage
from web.problems import handle_problems
from web.proxies import ForwardedBy
from web.shutdown import noting_signals
from web.templating import STATIC, mark_of
from web.tracing import RequestSpans

log = logger(__name__)

BROKER_SECONDS = 2.0  # a request waits this long for the broker


def create_app() -> FastAPI:
    """Returns the application with all its endpoints."""
    app = FastAPI(
        title="Recourse",
        summary="Resets the progress of training courses.",
        version="1",
        openapi_url="/v1/openapi.json",
        docs_url=None,  # both load their scripts from another host
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.troubles = {}  # what does not do its work, by organization
    handle_problems(app)
    doors = Doors()
    doors.add(api.ROUTERS, prefix="/v1")
    doors.add(scim.ROUTERS, prefix=SCIM)
    doors.add([*pages.ROUTERS, *pages.OPEN_ROUTERS])
    app.add_middleware(Reception, doors=doors)
    app.add_middleware(BrowsersLanguage)
    app.add_middleware(SecurityHeaders)
    if settings().otlp_endpoint:
        app.add_middleware(RequestSpans)
    app.add_middleware(ForwardedBy, trusted=settings().trusted_proxies)
    app.include_router(health.router)
    app.include_router(metrics.router)
    for router in api.ROUTERS:
        app.include_router(router, prefix="/v1", dependencies=[Depends(api.refuse_unknown_parameters)])
    for router in scim.ROUTERS:
        app.include_router(router, prefix=SCIM, include_in_schema=False)
    api.describe(app)
    for router in pages.ROUTERS:
        app.include_router(router, dependencies=[Depends(genuine)], include_in_schema=False)
    for router in pages.OPEN_ROUTERS:
        app.include_router(router, include_in_schema=False)
    app.mount("/static", _Static(directory=STATIC))
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    configure_logging()
    logging.getLogger("uvicorn").handlers.clear()  # its lines would have another format
    logging.getLogger("uvicorn").propagate = True
    try:
        check_record_kinds()
    except RecordKindUnfitError as error:
        log.critical("record_kind_unfit", says=str(error))
        raise
    # A person is waiting, and `recover` sends again what cannot be sent now.
    celery.conf.broker_transport_options["socket_timeout"] = BROKER_SECONDS
    # Threads beyond the number of connections would only wait; imports have threads of their own.
    current_default_thread_limiter().total_tokens = MOST_CONNECTIONS - RUN_AT_ONCE
    start_tracing("recourse-web")
    with suppress(DBAPIError), transaction() as session:  # without a database, the sign-in page does it later
        log_first_start(app, session)
    with noting_signals(), spool.in_use():
        yield
    stop_tracing()
    forget_engine()


class _Static(StaticFiles):
    """Static files, cached for good: their addresses change with their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        if scope["query_string"].decode("latin-1") == mark_of(path):  # a file of another version is not cached
            answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer


app = create_app()
