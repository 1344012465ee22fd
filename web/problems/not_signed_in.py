"""The way to the sign-in page, and from there back to where the person was."""

from urllib.parse import SplitResult, quote, urlsplit

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import URL


def not_signed_in(request: Request, _: Exception) -> Response:
    """Returns a redirect to the sign-in page."""
    in_part = request.headers.get("hx-request") is not None
    back = _page_before(request) if in_part or request.method != "GET" else _with_query(request.url)
    sign_in = "/sign-in" + (f"?next={quote(back)}" if back != "/" else "")
    if in_part:  # a part of a page cannot show the sign-in page: the whole page goes there
        return Response(status_code=401, headers={"HX-Redirect": sign_in})
    return RedirectResponse(sign_in, 303)


def _page_before(request: Request) -> str:
    """Returns the page that sent the request; `/` if unknown or on another host."""
    page = urlsplit(request.headers.get("hx-current-url") or request.headers.get("referer") or "")
    return _with_query(page) if page.netloc == request.headers.get("host") else "/"


def _with_query(url: URL | SplitResult) -> str:
    return url.path + (f"?{url.query}" if url.query else "")
