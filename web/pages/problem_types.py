"""Explanations of the problem types that the HTTP API returns."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from models.refusals import refusal_with
from web.problems import EXPLAINED, Problem, title_of
from web.templating import page

router = APIRouter(prefix="/problems")


@router.get("/{code}")
def problem_type(request: Request, code: str) -> Response:
    """Explain a problem type; its `type` URI points here."""
    if code in EXPLAINED:
        return page(request, "problem.html", title=title_of(code), detail=EXPLAINED[code])
    if refusal := refusal_with(code):
        words = f"The API refuses such requests with status {refusal.status}. The field “detail” says what to do."
        return page(request, "problem.html", title=title_of(code), detail=words)
    raise Problem(404, "not-found", EXPLAINED["not-found"])
