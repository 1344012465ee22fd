"""What the types of problems mean that the HTTP API answers with."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from models.refusals import refusal_with
from web.problems import KINDS, Problem, title_of
from web.templating import page

router = APIRouter(prefix="/problems")


@router.get("/{code}")
def problem_type(request: Request, code: str) -> Response:
    """The address that a problem's `type` names."""
    if code in KINDS:
        return page(request, "problem.html", title=title_of(code), detail=KINDS[code].meaning)
    if refusal := refusal_with(code):
        words = f"A refused request is answered with status {refusal.status} and this type. `detail` says what to do."
        return page(request, "problem.html", title=title_of(code), detail=words)
    raise Problem("not-found")
