"""The web app: it is ready, and trusts its proxy."""

import httpx

from cli.checks.finding import NOT_UP, AwayError, FaultyError, Places
from cli.checks.http import get


def check(places: Places) -> str:
    if places.web is None:
        raise AwayError(*NOT_UP)
    answer = get(f"{places.web}/readyz", "Start it: `uvicorn web.app:app`, or correct RECOURSE_PUBLIC_URL.")
    if answer.status_code != httpx.codes.OK:
        raise FaultyError(
            f"{places.web} is not ready: {answer.text.strip()[:200]}", "Look at its log, and at the database above."
        )
    if _has_untrusted_proxy(answer):
        raise FaultyError(
            f"{places.web} gets requests with X-Forwarded-For from an address that it does not trust",
            "If that is your proxy, add it to RECOURSE_TRUSTED_PROXIES: until then all its clients count as one when "
            "sign-ins fail. The log names it: forwarded_by_untrusted. If it is not, let no client bypass your proxy.",
        )
    return places.web


def _has_untrusted_proxy(answer: httpx.Response) -> bool:
    try:
        body = answer.json()
    except ValueError:  # another program answers there
        return False
    return isinstance(body, dict) and "proxy" in body
