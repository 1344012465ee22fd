"""Certificates: a learner's own, and the page that tells anybody whether one holds."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from models.certificates import facts_of, holds, is_superseded, plain_serials
from models.directory import training_of
from models.refusals.training import CertificateMissing
from models.session import transaction
from tasks.certificates.documents import document_of
from web.access import Person
from web.database import Database
from web.templating import page

router = APIRouter()

UNLISTED = {"X-Robots-Tag": "noindex"}


@router.get("/my/courses/{code}/certificate")
def download(code: str, person: Person) -> Response:
    """The certificate of whoever is signed in, as a PDF."""
    with transaction() as session:
        mine = training_of(session, person.user, code)
        facts = facts_of(session, mine[0].registration) if mine else None
    if facts is None:  # outside of the transaction, since the storage may take its time
        raise CertificateMissing(code)
    name = quote(f"{code}-certificate.pdf", safe="")
    headers = {"Content-Disposition": f"inline; filename*=UTF-8''{name}"}
    return Response(document_of(facts), media_type="application/pdf", headers=headers)


@router.get("/verify")
def ask_for_a_serial(request: Request, serial: Annotated[str, Query(max_length=200)] = "") -> Response:
    """The form, and where it leads: a certificate's own address."""
    likeliest = plain_serials(serial)[0].replace("/", "").strip(".")
    if likeliest:
        return RedirectResponse(f"/verify/{quote(likeliest, safe='')}", 303)
    return page(request, "verify.html", headers=UNLISTED, serial="", facts=None, superseded=False)


@router.get("/verify/{serial}")
def verify(request: Request, serial: str, session: Database) -> Response:
    """Whether a certificate holds, for whoever has its serial. Of one that holds no more it tells that and nothing
    else: neither whose it was, nor of what, nor when."""
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
