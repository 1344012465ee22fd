"""The start page."""

from fastapi import APIRouter, Depends
from fastapi.responses import RedirectResponse

from web.access import signed_in

router = APIRouter(dependencies=[Depends(signed_in, scope="function")])


@router.get("/")
def home() -> RedirectResponse:
    """Redirect everyone to their own training."""
    return RedirectResponse("/my/training", 303)
