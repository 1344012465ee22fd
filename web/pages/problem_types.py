"""Explanations of the problem types that the HTTP API returns."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from config.languages import gettext
from models.refusals import refusal_with
from web.problems import KINDS, Problem, title_of
from web.templating import page

router = APIRouter(prefix="/problems")


@router.get("/{code}")
def problem_type(request: Request, code: str) -> Response:
    """Explain a problem type; its `type` URI points here."""
    if code in KINDS:
        return page(request, "problem.html", title=gettext(title_of(code)), detail=KINDS[code].meaning)
    if refusal := refusal_with(code):
        words = gettext(
            "The API refuses such requests with status {status}. The field “detail” says what to do.",
            status=refusal.status,
        )
        return page(request, "problem.html", title=gettext(title_of(code)), detail=words)
    raise Problem("not-found")
