"""What the types of problems mean that the HTTP API answers with."""

import inspect

from fastapi import APIRouter, Request
from fastapi.responses import Response

from models import refusals
from models.refusals import Refused
from web.problems import EXPLAINED, STATUS, Problem, title_of
from web.templating import page

router = APIRouter(prefix="/problems")


@router.get("/{code}")
def problem_type(request: Request, code: str) -> Response:
    """The address that a problem's `type` names."""
    if code in EXPLAINED:
        return page(request, "problem.html", title=title_of(code), detail=EXPLAINED[code])
    for _, kind in inspect.getmembers(refusals, inspect.isclass):
        if issubclass(kind, Refused) and kind is not Refused and kind.code == code:
            words = f"A request is answered with {STATUS.get(code, 422)} and this type when it is refused for that."
            return page(request, "problem.html", title=title_of(code), detail=f"{words} `detail` says what to do.")
    raise Problem(404, "not-found", EXPLAINED["not-found"])
