"""Protection against cross-site request forgery.

Two checks, following the OWASP cheat sheet: the origin the browser reports (Fetch Metadata, else `Origin`), and a form
token bound to the session.
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
    """Return the token for forms on the page rendered for this request, bound to the browser's session, if any."""
    return _signer().get_signature(_session(request)).decode()


async def genuine(request: Request) -> None:
    """A dependency of all pages: accept safe methods, and forms from our own pages. Raises `PageExpired`."""
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
    """Old browsers report no origin; then the token alone decides."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")
