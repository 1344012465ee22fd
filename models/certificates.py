"""Certificates: what is printed on them, and whether a serial is valid."""

import hashlib
import re
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, LargeBinary, Select, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base
from models.outbox import Outbox
from models.people import Organization, User
from models.records import Certificate
from models.training import Course, Enrolment

DOCUMENTS = Outbox(
    Certificate,
    turn=Certificate.organization_id,
    due_at=Certificate.pdf_due_at,
    attempts=Certificate.pdf_attempts,
    waiting=Certificate.pdf_due_at.is_not(None),
    given_up=Certificate.pdf_due_at.is_(None) & Certificate.pdf_error.is_not(None),
    begun={"pdf_tried_at": func.now()},
    tried_at=Certificate.pdf_tried_at,
)
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # without 0 and O, 1 and I, which look alike
MISREAD = str.maketrans("1I", "LL")
SERIAL_LENGTH = 20


class SupersededSerial(Base):
    """The serial of a certificate that is no longer valid. Only its hash is stored, without user, course or date:
    anyone with the paper can ask, but no one can read a list."""

    __tablename__ = "superseded_serial"

    serial_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)


@dataclass(frozen=True)
class Facts:
    """What is printed on a certificate."""

    serial: str
    issued_at: datetime
    user: User
    course: Course
    organization: Organization
    pdf_key: str | None


def facts_of(session: Session, registration: UUID) -> Facts | None:
    """Returns the certificate of a registration, `None` if it has none."""
    return _facts(session, registration=registration)


def holds(session: Session, serial: str) -> Facts | None:
    """Returns the valid certificate with this serial, as typed by a person, `None` if there is none."""
    found = (_facts(session, serial=plain) for plain in plain_serials(serial))
    return next((facts for facts in found if facts), None)


def is_superseded(session: Session, serial: str) -> bool:
    """Returns whether a reset invalidated a certificate with this serial."""
    hashes = [hashlib.sha256(plain.encode()).digest() for plain in plain_serials(serial)]
    mine = select(SupersededSerial).where(SupersededSerial.serial_hash.in_(hashes))
    return session.scalars(select(mine.exists())).one()


def plain_serials(serial: str) -> list[str]:
    """Returns the serials that a person may have meant, likeliest first.

    Ours are letters and digits in groups of five, without I and 1: other characters are separators, and I or 1 stands
    for L. Imported serials may have any form.
    """
    typed = "".join(unicodedata.normalize("NFKC", serial).split()).upper()
    letters = re.sub(r"[\W_]", "", typed).translate(MISREAD)
    ours = [in_groups(letters)] if len(letters) == SERIAL_LENGTH else []
    return list(dict.fromkeys([*ours, typed]))


def new_serial() -> str:
    """Returns a new random serial: 20 characters in groups of five."""
    return in_groups("".join(secrets.choice(ALPHABET) for _ in range(SERIAL_LENGTH)))


def in_groups(letters: str) -> str:
    """Returns the characters of a serial in the form in which it is stored and printed."""
    return "-".join(letters[start : start + 5] for start in range(0, len(letters), 5))


def hashes_under(registrations: ColumnElement[Sequence[UUID]]) -> Select[bytes]:
    """Returns the query for the serials' hashes of these registrations' certificates."""
    return select(func.sha256(func.convert_to(Certificate.serial, "UTF8")).label("hash")).where(
        Certificate.registration == any_(registrations)
    )


def supersede(registrations: ColumnElement[Sequence[UUID]]) -> Insert:
    """Returns the statement that stores that the certificates of these registrations are no longer valid.

    Their rows must still be there for it.
    """
    return _keep(hashes_under(registrations))


def supersede_again(session: Session, hashes: list[bytes]) -> None:
    """Store it for certificates whose rows may be missing."""
    session.execute(_keep(select(func.unnest(literal(hashes, ARRAY(LargeBinary))))))


def _keep(hashes: Select[bytes]) -> Insert:
    return insert(SupersededSerial).from_select([SupersededSerial.serial_hash], hashes).on_conflict_do_nothing()


def _facts(session: Session, *, registration: UUID | None = None, serial: str | None = None) -> Facts | None:
    row = session.execute(
        select(Certificate, User, Course, Organization)
        .join(Enrolment, Enrolment.registration == Certificate.registration)
        .join(User, User.id == Enrolment.user_id)
        .join(Course, Course.id == Enrolment.course_id)
        .join(Organization, Organization.id == Enrolment.organization_id)
        .where(Certificate.registration == registration if registration else Certificate.serial == serial)
    ).one_or_none()
    if row is None:
        return None
    certificate, user, course, organization = row
    return Facts(certificate.serial, certificate.issued_at, user, course, organization, certificate.pdf_key)
