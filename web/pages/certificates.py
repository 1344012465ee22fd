"""Certificates: a learner's own, and the page that tells anybody whether one holds."""

from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import select

from models.certificates import facts_of, holds, is_superseded, plain_serial
from models.refusals import CertificateMissing
from models.session import transaction
from models.training import Course, Enrolment
from tasks.certificates import document_of
from web.access import Person
from web.database import Database
from web.templating import page

router = APIRouter()


@router.get("/my/courses/{code}/certificate")
def download(code: str, person: Person) -> Response:
    """The certificate of whoever is signed in, as a PDF."""
    with transaction() as session:
        registration = session.scalar(
            select(Enrolment.registration)
            .join(Course, Course.id == Enrolment.course_id)
            .where(
                Enrolment.user_id == person.user.id,
                Enrolment.organization_id == person.user.organization_id,
                Enrolment.unassigned_at.is_(None),
                Course.code == code,
            )
        )
        facts = facts_of(session, registration) if registration else None
    if facts is None:  # outside of the transaction, since the storage may take its time
        raise CertificateMissing(code)
    name = quote(f"{code}-certificate.pdf", safe="")
    headers = {"Content-Disposition": f"inline; filename*=UTF-8''{name}"}
    return Response(document_of(facts), media_type="application/pdf", headers=headers)


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
        headers={"X-Robots-Tag": "noindex"},
        serial=plain_serial(serial)[:100],
        facts=facts,
        superseded=superseded,
    )
