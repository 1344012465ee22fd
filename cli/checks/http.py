"""Ask a part over HTTP."""

import httpx

from cli.checks.finding import PATIENCE, AwayError


def get(url: str, remedy: str, sign_in: tuple[str, str] | None = None) -> httpx.Response:
    """Returns the answer of the URL. Raises `AwayError` with this remedy if there is none."""
    try:
        return httpx.get(url, auth=sign_in, timeout=PATIENCE, follow_redirects=True)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise AwayError(f"{url} does not answer: {error or type(error).__name__}", remedy) from None
