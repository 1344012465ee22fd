"""Make the documents of certificates that were issued."""

import secrets
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import func, select, update

from models import storage
from models.certificates import Facts, facts_of
from models.file_deletions import delete_later, keep
from models.records import Certificate
from models.refusals import StorageUnavailable
from models.session import changed_rows, transaction
from models.uploads import KEPT
from tasks.app import app
from tasks.certificate_pdf import certificate_pdf
from tasks.messages import MAKE_CERTIFICATES
from tasks.waits import OVER_A_DAY, next_try

log = structlog.get_logger(__name__)


@app.task(name=MAKE_CERTIFICATES)
def make_certificates() -> None:
    """Make the documents that are due, and put them into the storage. Until one is there it is made for whoever asks,
    so a storage that is away keeps nobody from their certificate."""
    while taken := take_next():
        make(*taken)


def take_next() -> tuple[UUID, Facts] | None:
    """The next certificate whose document is to be made; none if none is due. It is due again in a minute, should
    whoever takes it not live to make it."""
    with transaction() as session:
        registration = session.scalar(
            select(Certificate.registration)
            .where(Certificate.pdf_due_at <= func.now())
            .order_by(Certificate.pdf_due_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if registration is None:
            return None
        mine = Certificate.registration == registration
        session.execute(update(Certificate).where(mine).values(pdf_due_at=next_try(OVER_A_DAY, 1)))
        facts = facts_of(session, registration)
        assert facts is not None
        return registration, facts


def make(registration: UUID, facts: Facts) -> None:
    """Make the document, and keep it if the certificate still holds by then."""
    document = certificate_pdf(facts)
    key = f"{facts.organization.id}/{secrets.token_hex(20)}"
    with transaction() as session:
        delete_later(session, key, KEPT)  # as for every object; see models/files.py
    try:
        storage.write(key, [document])
    except StorageUnavailable:
        return
    with transaction() as session:
        mine = (
            (Certificate.registration == registration)
            & (Certificate.serial == facts.serial)
            & Certificate.pdf_key.is_(None)
        )
        if not keep(session, key):
            return
        if changed_rows(session, update(Certificate).where(mine).values(pdf_key=key, pdf_due_at=None)):
            log.info("certificate_made", registration=str(registration))
        else:  # the course was reset meanwhile
            delete_later(session, key, timedelta())


def document_of(facts: Facts) -> bytes:
    """The certificate as a document: the one that was made, or else one made for this occasion."""
    if facts.pdf_key:
        try:
            stored = storage.read(facts.pdf_key)
            if stored is not None:
                return b"".join(stored)
        except StorageUnavailable:
            pass
    return certificate_pdf(facts)
