"""Choose a password with a link from an administrator."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from models.passwords import SHORTEST, hash_of
from models.refusals.sign_in import PasswordTooShort, SignInBusy
from models.session import transaction
from tasks.people.password_links import choose_password, user_of_link
from web.access import give_cookie
from web.problems import retry_after
from web.templating import page

router = APIRouter(prefix="/set-password")


@router.get("/{token}")
def password_form(request: Request, token: str) -> Response:
    """Show the form. Raises `PasswordLinkOver`, `PasswordsOff`."""
    return _form(request, token)


@router.post("/{token}")
def choose(request: Request, token: str, password: Annotated[str, Form(max_length=1000)] = "") -> Response:
    """Set the password, and sign in."""
    with transaction() as session:
        user_of_link(session, token)  # before the hash: only who has a link may have one made
    try:
        hashed = hash_of(password)  # slow, so outside of any transaction
    except (PasswordTooShort, SignInBusy) as refusal:
        return _form(request, token, refusal)
    with transaction() as session:
        cookie = choose_password(session, token, hashed, browser=request.headers.get("user-agent", ""))
    answer = RedirectResponse("/", 303)
    give_cookie(answer, cookie)
    return answer


def _form(request: Request, token: str, error: PasswordTooShort | SignInBusy | None = None) -> Response:
    with transaction() as session:
        user = user_of_link(session, token)
        return page(
            request,
            "set_password.html",
            status=error.status if error else 200,
            headers=retry_after(error) if error else None,
            user=user,
            token=token,
            shortest=SHORTEST,
            error=error,
        )
