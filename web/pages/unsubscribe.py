"""No more e-mail, without signing in: from the link in an e-mail, or in one click from the mail program (RFC 8058).

Its router stands apart from the other pages': a mail program that posts here has no form of ours. What the link proves
is enough for this, and for nothing else.
"""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from config.links import unsubscribing
from models.session import transaction
from tasks.people.preferences import unsubscribe as end_mails
from web.problems import Problem
from web.templating import page

router = APIRouter()


@router.get("/unsubscribe/{token}")
def ask(request: Request, token: str) -> Response:
    """Asks first: programs that look into e-mails follow links, too."""
    _user_id(token)
    return page(request, "unsubscribe.html", token=token, done=False)


@router.post("/unsubscribe/{token}")
def unsubscribe(request: Request, token: str) -> Response:
    """End the alerts by e-mail; the inbox goes on. Twice is the same as once."""
    with transaction() as session:
        end_mails(session, _user_id(token))
    return page(request, "unsubscribe.html", token=token, done=True)


def _user_id(token: str) -> int:
    user_id = unsubscribing(token)
    if user_id is None:
        raise Problem("not-found", "This link is not valid. Copy it from the e-mail exactly as it is.")
    return user_id
