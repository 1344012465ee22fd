"""Forms that come from our own pages: the guard against cross-site request forgery.

Two checks, after the OWASP cheat sheet on it: what the browser says of the request's origin (Fetch Metadata, else
`Origin`), and a token in the form that only a page of the same session has.
"""

from urllib.parse import urlsplit

from fastapi import Request
from itsdangerous import Signer

from config.settings import signing_keys
from models.refusals.access import PageExpired
from web.access import cookie_name

FIELD = "csrf"
_SAFE = {"GET", "HEAD", "OPTIONS"}


def form_token(request: Request) -> str:
    """The token for forms on the page that answers this request: bound to the browser's session, if it has one."""
    return _signer().get_signature(_session(request)).decode()


async def genuine(request: Request) -> None:
    """A dependency of all pages: lets pass what changes nothing, and forms of our own. Raises `PageExpired`."""
    if request.method in _SAFE:
        return
    if not _same_origin(request):
        raise PageExpired
    form = await request.form()
    token = form.get(FIELD)
    if not isinstance(token, str) or not _signer().verify_signature(_session(request).encode(), token):
        raise PageExpired


def _session(request: Request) -> str:
    return request.cookies.get(cookie_name(), "nobody")


def _signer() -> Signer:
    return Signer(signing_keys(), salt="recourse.csrf")


def _same_origin(request: Request) -> bool:
    """What the browser says; old ones say nothing, and then the token alone decides."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")
