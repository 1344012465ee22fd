"""Certificates: a learner's own, and the public page to verify one."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from models.certificates import holds, is_superseded, plain_serials
from tasks.certificates.documents import own_certificate
from web.access import Person
from web.database import Database
from web.templating import page

router = APIRouter()

UNLISTED = {"X-Robots-Tag": "noindex"}


@router.get("/my/courses/{code}/certificate")
def download(code: str, person: Person) -> Response:
    """Send the signed-in person's certificate as PDF."""
    document = own_certificate(person.user, code)
    name = quote(f"{code}-certificate.pdf", safe="")
    headers = {"Content-Disposition": f"inline; filename*=UTF-8''{name}"}
    return Response(document, media_type="application/pdf", headers=headers)


@router.get("/verify")
def ask_for_a_serial(request: Request, serial: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Show the form, or redirect a typed serial to its own page."""
    likeliest = plain_serials(serial)[0].replace("/", "").strip(".")
    if likeliest:
        return RedirectResponse(f"/verify/{quote(likeliest, safe='')}", 303)
    return page(request, "verify.html", headers=UNLISTED, serial="", facts=None, superseded=False)


@router.get("/verify/{serial}")
def verify(request: Request, serial: str, session: Database) -> Response:
    """Show whether the certificate with this serial is valid. A superseded one reveals nothing else."""
    facts = holds(session, serial)
    superseded = facts is None and is_superseded(session, serial)
    return page(
        request,
        "verify.html",
        status=200 if facts or superseded else 404,
        headers=UNLISTED,
        serial=facts.serial if facts else plain_serials(serial)[0][:100],
        facts=facts,
        superseded=superseded,
    )
