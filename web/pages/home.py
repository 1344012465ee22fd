"""The start page."""

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from web.access import Person
from web.navigation import landing_of

router = APIRouter()


@router.get("/")
def home(person: Person) -> RedirectResponse:
    """Redirect everyone to where their work is: admins to what they manage, learners to their own training."""
    return RedirectResponse(landing_of(person), 303)
