"""Create the PDF of each issued certificate and store it.

Until it is stored, each download creates it, so certificates stay available while the storage is down.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from config.settings import settings
from models.certificates import DOCUMENTS, Facts, facts_of
from models.directory import training_of
from models.files import storage
from models.files.deletions import delete_later, keep
from models.files.uploads import KEPT
from models.outbox import Item, is_this_try
from models.people import User
from models.records import Certificate
from models.refusals.files import StorageUnavailable
from models.refusals.training import CertificateMissing
from models.session import changed_rows, transaction
from models.training import Enrolment
from tasks.outbox.answers import Answer, Never, NotNow, Taken, Unwanted
from tasks.outbox.handler import Handler
from tasks.outbox.waits import OVER_A_DAY


@dataclass(frozen=True)
class Stored(Taken):
    """The document is stored, and will be deleted again unless `_keep` keeps it."""

    key: str


class Certificates(Handler):
    """The outbox of documents to create."""

    name = "certificate"
    outbox = DOCUMENTS
    waits = OVER_A_DAY

    @classmethod
    def seconds(cls) -> float:
        return settings().storage_timeout_seconds + 10

    def attempt(self, item: Item) -> Answer:
        with transaction() as session:
            facts = facts_of(session, item.key[0])
        if facts is None:
            return Unwanted("the course was reset")
        document = _make(facts)
        key = f"{facts.organization.id}/{secrets.token_hex(20)}"
        with transaction() as session:
            delete_later(session, key, KEPT)  # until kept, as every object; see models/files/files.py
        try:
            storage.write(key, [document])
        except StorageUnavailable as error:
            return NotNow(f"the storage did not accept it: {error.__cause__}")
        return Stored(key)

    def settle(self, session: Session, item: Item, answer: Answer) -> None:
        match answer:
            case Stored(key):
                _keep(session, item, key)
            case NotNow(why):
                _note(session, item, pdf_error=why)
            case Never(why):
                _note(session, item, pdf_error=why, pdf_due_at=None)


def _keep(session: Session, item: Item, key: str) -> None:
    """Attach the object to the certificate if that still exists; otherwise have the object deleted.

    Locks the enrolment, like every write under a registration: a slice reads which objects to delete before it deletes
    their rows, and would miss an object that was attached in between.
    """
    registration = item.key[0]
    held = session.scalar(select(Enrolment.id).where(Enrolment.registration == registration).with_for_update(read=True))
    in_time = keep(session, key)
    if not held or not in_time or not _note(session, item, pdf_key=key, pdf_due_at=None, pdf_error=None):
        delete_later(session, key, timedelta())


def _note(session: Session, item: Item, **values: object) -> bool:
    """Update the certificate if it still waits for this attempt. Returns whether it did."""
    return changed_rows(session, update(Certificate).where(is_this_try(DOCUMENTS, item)).values(**values)) == 1


def own_certificate(user: User, course_code: str) -> bytes:
    """Return the user's certificate for the course as PDF. Raises `CertificateMissing`."""
    with transaction() as session:
        mine = training_of(session, user, course_code)
        facts = facts_of(session, mine[0].registration) if mine else None
    if facts is None:
        raise CertificateMissing(course_code)
    return document_of(facts)  # outside the transaction, since the storage may be slow


def document_of(facts: Facts) -> bytes:
    """Returns the stored PDF, or one created now if none can be read."""
    if facts.pdf_key:
        try:
            stored = storage.read(facts.pdf_key)
            if stored is not None:
                return b"".join(stored)
        except StorageUnavailable:
            pass
    return _make(facts)


def _make(facts: Facts) -> bytes:
    from tasks.certificates.pdf import certificate_pdf  # takes 0.3 s to load, and few processes make certificates

    return certificate_pdf(facts)
