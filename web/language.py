"""The language of pages: the signed-in person's own, else the browser's. The API speaks English.

`speak` is called again when a person is known; see `web.access`.
"""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from config.languages import SOURCE, languages, speak

LEAST = 0.001  # the least weight that a header can give, here for one that is not a number
FOR_PROGRAMS = ("/v1", "/scim/")


class BrowsersLanguage:
    """Middleware that has each page speak the language that its browser asks for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            is_page = not scope["path"].startswith(FOR_PROGRAMS)
            speak(preferred(Headers(scope=scope).get("accept-language", "")) if is_page else SOURCE)
        await self._app(scope, receive, send)


def preferred(header: str) -> str:
    """Returns the tag of the language that an `Accept-Language` header likes best among ours; English if none."""
    liked = [_with_weight(one) for one in header[:1000].split(",")]
    for weight, tag in sorted(liked, key=lambda one: -one[0]):  # stable: the first of equals counts
        if weight > 0 and tag.partition("-")[0].lower() in languages():
            return tag
    return SOURCE


def _with_weight(preference: str) -> tuple[float, str]:
    tag, _, weight = preference.partition(";")
    try:
        return float(weight.strip().removeprefix("q=") or 1), tag.strip()
    except ValueError:
        return LEAST, tag.strip()
