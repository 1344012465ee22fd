"""A problem as JSON or as a page."""

from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from config.languages import gettext
from models.refusals.base import Refused
from models.refusals.sign_in import SignInBusy, SignInThrottled
from models.refusals.sign_on import PermissionUnchecked, SignOnUnavailable
from web.problems.kinds import title_of
from web.problems.scim import PREFIX, scim_answer
from web.templating import page


def answer(
    request: Request, status: int, code: str, detail: str, *, headers: dict[str, str] | None = None, **more: Any
) -> Response:
    """Returns the problem: as JSON under `/v1`, as SCIM has it under `/scim`, else as a page or in the open dialog.

    `more` are further members.
    """
    if request.url.path.startswith(PREFIX):
        return scim_answer(status, code, detail, headers)
    if request.url.path.startswith("/v1"):
        body = {"type": f"/problems/{code}", "title": title_of(code), "status": status, "detail": detail, **more}
        return JSONResponse(body, status, headers, media_type="application/problem+json")
    in_dialog = request.headers.get("hx-target") == "dialog"
    template = "problem_dialog.html" if in_dialog else "problem.html"
    title = gettext(title_of(code))
    return page(request, template, status=status, headers=headers, title=title, detail=detail, **more)


def retry_after(refusal: Refused) -> dict[str, str]:
    """Returns the header that says when to try again, if the refusal knows."""
    if isinstance(refusal, SignInThrottled | SignInBusy | SignOnUnavailable | PermissionUnchecked):
        return {"Retry-After": str(refusal.seconds)}
    return {}
