"""Who a request comes from, behind a proxy: what a trusted one says, and nobody else."""

import time

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

log = structlog.get_logger(__name__)

FORWARDED = "x-forwarded-for"
SAID_EVERY = 3600.0  # seconds


class ForwardedBy:
    """Puts the client that a trusted proxy names in place of the proxy.

    An address that is named by anybody else is not believed, and this is said: most likely it is the installation's
    own proxy, and all who come through it count as one to the throttle of sign-ins.
    """

    not_trusted_at: float | None = None  # when such a one came last, on the monotonic clock

    def __init__(self, app: ASGIApp, trusted: list[str]) -> None:
        self._app = app
        self._resolve = ProxyHeadersMiddleware(app, trusted_hosts=trusted)  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and FORWARDED in Headers(scope=scope):
            peer = scope["client"][0] if scope.get("client") else ""
            if peer not in self._resolve.trusted_hosts:
                self._say(peer)
        await self._resolve(scope, receive, send)  # type: ignore[arg-type]

    def _say(self, peer: str) -> None:
        now, last = time.monotonic(), ForwardedBy.not_trusted_at
        ForwardedBy.not_trusted_at = now
        if last is None or now - last > SAID_EVERY:
            remedy = "If it is your proxy, add it to RECOURSE_TRUSTED_PROXIES. If not, let nobody past the proxy."
            log.warning("forwarded_by_untrusted", peer=peer, remedy=remedy)


def comes_past_the_proxy() -> bool:
    """Whether an address was named within the last hour by somebody who is not trusted to."""
    last = ForwardedBy.not_trusted_at
    return last is not None and time.monotonic() - last < SAID_EVERY
