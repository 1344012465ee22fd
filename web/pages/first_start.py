"""First start: create the first organization and its administrator, with the address from the log."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from models.passwords import SHORTEST
from models.refusals.base import Refused
from models.refusals.organizations import FirstStartOver
from models.session import transaction
from models.web_sessions import begin_session
from tasks.people.first_start import begin, check_first_start
from tasks.people.organizations import FirstAdmin
from web.access import give_cookie
from web.database import Database
from web.templating import page

router = APIRouter(prefix="/first-start")

Text = Annotated[str, Form(max_length=500)]


@router.get("")
def first_start_page(request: Request, session: Database, token: str = "") -> Response:
    """Show the form. Raises `FirstStartOver`."""
    check_first_start(session, token)
    return _form(request, token=token)


@router.post("")
def first_start(
    request: Request,
    token: Text = "",
    name: Text = "",
    slug: Text = "",
    admin_name: Text = "",
    email: Text = "",
    password: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Create the organization and its administrator, and sign them in."""
    try:
        with transaction() as session:
            user = begin(session, token, slug, name, FirstAdmin(email, admin_name, password))
            cookie = begin_session(session, user, request.headers.get("user-agent", ""))
    except FirstStartOver:
        raise
    except Refused as refusal:
        written = {"name": name, "slug": slug, "admin_name": admin_name, "email": email}
        return _form(request, refusal.status, token=token, error=str(refusal), **written)
    answer = RedirectResponse("/users", 303)
    give_cookie(answer, cookie)
    return answer


def _form(request: Request, status: int = 200, *, token: str, error: str = "", **written: str) -> Response:
    fields: dict[str, Any] = dict.fromkeys(("name", "slug", "admin_name", "email"), "") | written
    return page(request, "first_start.html", status=status, token=token, error=error, shortest=SHORTEST, **fields)
