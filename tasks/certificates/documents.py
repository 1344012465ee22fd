"""Make the documents of certificates that were issued, and put them into the storage.

Until one is there it is made for whoever asks, so a storage that is away keeps nobody from their certificate.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from config.settings import settings
from models.certificates import DOCUMENTS, Facts, facts_of
from models.files import storage
from models.files.deletions import delete_later, keep
from models.files.uploads import KEPT
from models.outbox import Item, is_this_try
from models.records import Certificate
from models.refusals.files import StorageUnavailable
from models.session import changed_rows, transaction
from models.training import Enrolment
from tasks.outbox.answers import Answer, Never, NotNow, Taken, Unwanted
from tasks.outbox.hands import Hands
from tasks.outbox.waits import OVER_A_DAY


@dataclass(frozen=True)
class Stored(Taken):
    """The document is in the storage, and to be deleted again unless it is kept."""

    key: str


class Certificates(Hands):
    """The outbox of documents to be made."""

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
            return Unwanted("the course was reset meanwhile")
        document = _make(facts)
        key = f"{facts.organization.id}/{secrets.token_hex(20)}"
        with transaction() as session:
            delete_later(session, key, KEPT)  # as for every object; see models/files/files.py
        try:
            storage.write(key, [document])
        except StorageUnavailable as error:
            return NotNow(f"the storage did not take it: {error.__cause__}")
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
    """Make the object the certificate's, if that still holds; or else have it deleted.

    The enrolment is held, as by whoever writes under a registration: a slice reads which objects go before it deletes
    the rows that know them, and would miss one that came in between.
    """
    registration = item.key[0]
    held = session.scalar(select(Enrolment.id).where(Enrolment.registration == registration).with_for_update(read=True))
    in_time = keep(session, key)
    if not held or not in_time or not _note(session, item, pdf_key=key, pdf_due_at=None, pdf_error=None):
        delete_later(session, key, timedelta())


def _note(session: Session, item: Item, **values: object) -> bool:
    """Write it down, if the certificate still waits for this try. Gives whether it did."""
    return changed_rows(session, update(Certificate).where(is_this_try(DOCUMENTS, item)).values(**values)) == 1


def document_of(facts: Facts) -> bytes:
    """The certificate as a document: the one that was made, or else one made for this occasion."""
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
