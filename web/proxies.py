"""The client behind a proxy, as named by trusted proxies alone."""

import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from config.log import logger

log = logger(__name__)

FORWARDED = "x-forwarded-for"
WARN_SECONDS = 3600.0  # between two warnings


class ForwardedBy:
    """Middleware that replaces the address of a trusted proxy by that of the client it names.

    Addresses named by anyone else are ignored, with a warning: most likely it is the installation's own proxy, and all
    its clients count as one when sign-ins are throttled.
    """

    untrusted_at: float | None = None  # the last time, on the monotonic clock

    def __init__(self, app: ASGIApp, trusted: list[str]) -> None:
        self._app = app
        self._resolve = ProxyHeadersMiddleware(app, trusted_hosts=trusted)  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and FORWARDED in Headers(scope=scope):
            peer = scope["client"][0] if scope.get("client") else ""
            if peer not in self._resolve.trusted_hosts:
                self._warn(peer)
        await self._resolve(scope, receive, send)  # type: ignore[arg-type]

    def _warn(self, peer: str) -> None:
        now, last = time.monotonic(), ForwardedBy.untrusted_at
        ForwardedBy.untrusted_at = now
        if last is None or now - last > WARN_SECONDS:
            remedy = "If it is your proxy, add it to RECOURSE_TRUSTED_PROXIES. If not, block direct connections."
            log.warning("forwarded_by_untrusted", peer=peer, remedy=remedy)


def is_proxy_untrusted() -> bool:
    """Returns whether an untrusted peer named a client's address within the last hour."""
    last = ForwardedBy.untrusted_at
    return last is not None and time.monotonic() - last < WARN_SECONDS
