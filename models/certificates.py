"""Whether a certificate holds, for whoever asks; and what stands on one."""

import hashlib
import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import LargeBinary, Select, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import Uuid

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
)
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # without 0 and O, 1 and I, which look alike
MISREAD = str.maketrans("1I", "LL")
SERIAL_LENGTH = 20


class SupersededSerial(Base):
    """That a certificate of this serial does not hold any more. Only the serial's hash is kept, and nothing of whose it
    was, of what, or since when: who has the paper can ask, and nobody can read a list."""

    __tablename__ = "superseded_serial"

    serial_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)


@dataclass(frozen=True)
class Facts:
    """What stands on a certificate."""

    serial: str
    issued_at: datetime
    user: User
    course: Course
    organization: Organization
    pdf_key: str | None


def facts_of(session: Session, registration: UUID) -> Facts | None:
    """The certificate of a registration; none if it has none."""
    return _facts(session, registration=registration)


def holds(session: Session, serial: str) -> Facts | None:
    """The certificate of this serial, however it was typed, if it holds."""
    found = (_facts(session, serial=plain) for plain in plain_serials(serial))
    return next((facts for facts in found if facts), None)


def is_superseded(session: Session, serial: str) -> bool:
    """Whether there was a certificate of this serial, which a reset has ended."""
    hashes = [hashlib.sha256(plain.encode()).digest() for plain in plain_serials(serial)]
    mine = select(SupersededSerial).where(SupersededSerial.serial_hash.in_(hashes))
    return session.scalars(select(mine.exists())).one()


def plain_serials(serial: str) -> list[str]:
    """A serial as it is kept, from how people type it: the likeliest first.

    Ours are letters and digits in groups of five, so any other character is one that somebody put between them, and I
    and 1, which ours do not have, were an L. One that came from elsewhere is kept as it came.
    """
    typed = "".join(unicodedata.normalize("NFKC", serial).split()).upper()
    letters = re.sub(r"[\W_]", "", typed).translate(MISREAD)
    ours = [in_groups(letters)] if len(letters) == SERIAL_LENGTH else []
    return list(dict.fromkeys([*ours, typed]))


def new_serial() -> str:
    """A certificate's serial: 20 characters that cannot be guessed, in groups of five."""
    return in_groups("".join(secrets.choice(ALPHABET) for _ in range(SERIAL_LENGTH)))


def in_groups(letters: str) -> str:
    """The characters of a serial of ours, as it is kept and printed."""
    return "-".join(letters[start : start + 5] for start in range(0, len(letters), 5))


def hashes_under(registrations: list[UUID]) -> Select[bytes]:
    """The hashes of the serials of these registrations' certificates."""
    return select(func.sha256(func.convert_to(Certificate.serial, "UTF8"))).where(
        Certificate.registration == any_(literal(registrations, ARRAY(Uuid())))
    )


def supersede(session: Session, registrations: list[UUID]) -> None:
    """Remember that the certificates of these registrations hold no more. To be called before their rows are deleted,
    in the same transaction."""
    _keep(session, hashes_under(registrations))


def supersede_again(session: Session, hashes: list[bytes]) -> None:
    """Remember it of certificates that may not be known here any more."""
    _keep(session, select(func.unnest(literal(hashes, ARRAY(LargeBinary)))))


def _keep(session: Session, hashes: Select[bytes]) -> None:
    session.execute(
        insert(SupersededSerial).from_select([SupersededSerial.serial_hash], hashes).on_conflict_do_nothing()
    )


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
