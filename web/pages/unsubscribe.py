"""Unsubscribe from e-mail alerts without signing in, by link or by one-click request of a mail program (RFC 8058).

Mail programs post here without a form token, so the router is one of `OPEN_ROUTERS`. The link's token permits
unsubscribing and nothing else.
"""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from config.languages import translatable
from config.links import unsubscribing
from models.session import transaction
from tasks.people.preferences import unsubscribe as end_mails
from web.problems import Problem
from web.templating import page

router = APIRouter()


@router.get("/unsubscribe/{token}")
def ask(request: Request, token: str) -> Response:
    """Ask for confirmation, since programs that scan e-mails follow links."""
    _user_id(token)
    return page(request, "unsubscribe.html", token=token, done=False)


@router.post("/unsubscribe/{token}")
def unsubscribe(request: Request, token: str) -> Response:
    """Turn off e-mail alerts; the inbox keeps them. Repeating this changes nothing."""
    with transaction() as session:
        end_mails(session, _user_id(token))
    return page(request, "unsubscribe.html", token=token, done=True)


def _user_id(token: str) -> int:
    user_id = unsubscribing(token)
    if user_id is None:
        raise Problem("not-found", translatable("This link is not valid. Copy it from the e-mail exactly as it is."))
    return user_id
