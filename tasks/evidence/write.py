"""The outbox of evidence: a part is read, packed, signed and stored, and then its learners may be cleared."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from secrets import token_hex
from typing import IO, Any

from sqlalchemy import ARRAY, LargeBinary, cast, func, select, update
from sqlalchemy.orm import Session

from config.languages.stored import stored
from config.log import logger
from config.settings import settings
from models.evidence import LANES, PARTS, EvidencePart, EvidenceStore, PartKind, PartState, as_sums
from models.evidence_holds import release
from models.outbox import Item
from models.people import Organization, User
from models.resets import Reset
from models.sealing import SecretUnreadableError
from models.session import changed_rows, transaction
from models.training import Course
from tasks.evidence.bundle import Bundle
from tasks.evidence.keys import signer
from tasks.evidence.learners import LearnersPart, read_learners
from tasks.evidence.s3 import PIECE, PutError
from tasks.evidence.store import put
from tasks.messages import send_coordinator
from tasks.outbox.answers import Answer, Never, NotNow, Taken, Unwanted
from tasks.outbox.handler import Handler
from tasks.report import progress_of, removed_by

RETRIES = (2, 5, 10, 20, 40, *(60,) * 5, *(300,) * 6, *(1800,) * 4, *(3600,) * 6, *(7200,) * 8)  # a day
REQUEST_RETRIES = 8  # of a reset that has not begun: some minutes, then it says why
AN_ATTEMPT = 60  # seconds after which a part whose process was killed is tried again, at first
IN_MEMORY = 4 * 1024 * 1024  # bytes of a bundle; a larger one is packed in a temporary file
OFF = stored("evidence is turned off for this organization")

log = logger(__name__)


@dataclass(frozen=True)
class Written(Taken):
    """The part is in the store."""

    name: str
    sha256: str
    fingerprints: dict[int, bytes]  # of what was written, by enrolment


class Evidence(Handler):
    """The outbox of parts."""

    name = "evidence"
    outbox = PARTS
    # How long an attempt may take before another process may think that the first was killed. After a failure, the
    # next attempt is sooner: see `settle`.
    waits = tuple(max(AN_ATTEMPT * min(attempt, 10), wait) for attempt, wait in enumerate(RETRIES, start=1))
    rest_seconds = 2.0

    @classmethod
    def at_once(cls) -> int:
        return 4 * LANES

    @classmethod
    def at_once_each(cls) -> int:
        return LANES

    @classmethod
    def seconds(cls) -> float:
        return 600.0

    def attempt(self, item: Item) -> Answer:
        with transaction() as session:
            part = session.get(EvidencePart, item.key[0])
            if part is None or part.state != PartState.WAITING:
                return Unwanted("the reset was cancelled or deleted")
            store = session.get(EvidenceStore, part.organization_id)
            if store is None:
                return Never(OFF)
            read = _READERS[part.kind](session, part)
            session.expunge_all()
        try:
            with _spool() as file:
                about = _pack(file, part, read)
                name = f"{read.folder}/{part.kind.value}-{read.number}{token_hex(4)}.zip"
                put(store, name, file)
        except PutError as error:
            return Never(str(error)) if error.final and part.kind == PartKind.REQUEST else NotNow(str(error))
        except SecretUnreadableError as error:
            return NotNow(str(error))
        return Written(name, about, read.fingerprints)

    def settle(self, session: Session, item: Item, answer: Answer) -> None:
        # Not only the last attempt counts: what is in the store is evidence, however long it took.
        mine = (EvidencePart.id == item.key[0]) & (EvidencePart.state == PartState.WAITING)
        part = session.scalar(select(EvidencePart).where(mine).with_for_update())
        if part is None or (not isinstance(answer, Written) and part.attempts != item.attempt):
            return  # or it was taken again since, or is due at once: this answer may be of an earlier store
        match answer:
            case Written(name, sha256, fingerprints):
                part.state, part.object, part.sha256 = PartState.WRITTEN, name, sha256
                part.outcome = "written"
                _keep_fingerprints(session, part, fingerprints)
            case Never(why):
                part.state, part.outcome = PartState.GIVEN_UP, why
            case NotNow(why) if part.kind == PartKind.REQUEST and part.attempts >= REQUEST_RETRIES:
                part.state, part.outcome = PartState.GIVEN_UP, why
            case NotNow(why):
                part.outcome = why
                wait = timedelta(seconds=RETRIES[min(part.attempts, len(RETRIES)) - 1])
                part.next_try_at = session.scalars(select(func.now() + wait)).one()
                session.flush()
                return
        session.flush()
        release(session, part.id)
        if part.kind != PartKind.SUMMARY:
            send_coordinator(session, session.get_one(Reset, part.reset_id))


@dataclass(frozen=True)
class _Read:
    """What a part is made of."""

    folder: str  # in the store
    number: str  # in the object's name
    about: dict[str, Any]  # for the manifest
    files: Callable[[], Iterable[tuple[str, Iterable[bytes]]]]
    fingerprints: dict[int, bytes]


def _pack(file: IO[bytes], part: EvidencePart, read: _Read) -> str:
    """Write the bundle into the file. Returns its SHA-256 in hex. Raises `SecretUnreadableError`."""
    bundle = Bundle(file, signer())
    for name, content in read.files():
        bundle.add(name, content)
    bundle.close(kind=part.kind.value, **read.about)
    checksum = hashlib.sha256()
    file.seek(0)
    while piece := file.read(PIECE):
        checksum.update(piece)
    return checksum.hexdigest()


def _spool() -> AbstractContextManager[IO[bytes]]:
    folder = settings().spool_folder
    if folder is not None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(folder) if folder else None)


def _about(session: Session, part: EvidencePart) -> tuple[Reset, Course, str, dict[str, Any]]:
    reset = session.get_one(Reset, part.reset_id)
    course = session.get_one(Course, reset.course_id)
    organization = session.get_one(Organization, reset.organization_id)
    about = {
        "reset": str(reset.id),
        "organization": organization.slug,
        "course": {"code": course.code, "external_id": course.external_id, "title": course.title},
    }
    return reset, course, f"{organization.slug}/{reset.id}", about


def _request(session: Session, part: EvidencePart) -> _Read:
    reset, _, folder, about = _about(session, part)
    requester = session.get(User, reset.requested_by) if reset.requested_by else None
    said = about | {
        "requested_by": {
            "id": reset.requested_by,
            "name": requester.name if requester else reset.requester,
            "email": requester.email if requester else None,
        },
        "requested_at": reset.requested_at.isoformat(),
        "start_at": reset.start_at.isoformat(),
        "reason": reset.reason,
        "audience": reset.audience.value,
        "user_ids": reset.user_ids,
        "group_id": reset.group_id,
        "list_id": str(reset.list_id) if reset.list_id else None,
        "skip_completed_days": reset.skip_completed_days,
        "planned_at": reset.planned_at.isoformat(),
        "preview": reset.shown,
        "due_in_days": reset.due_in_days,
        "notify": reset.notify,
    }
    return _Read(folder, "", about, lambda: [("request.json", [_json(said)])], {})


def _learners(session: Session, part: EvidencePart) -> _Read:
    _, course, folder, about = _about(session, part)
    found: LearnersPart = read_learners(session, course, part.members)
    counts = {
        "learners": len(found.learners),
        "completions": sum(one.completed_at is not None for one in found.learners),
        "certificates": len(found.certificates),
    }
    number = f"{min(part.members):012}-" if part.members else ""
    prints = {one.enrolment_id: one.fingerprint for one in found.learners}
    return _Read(folder, number, about | counts, found.files, prints)


def _summary(session: Session, part: EvidencePart) -> _Read:
    reset, _, folder, about = _about(session, part)
    written = (EvidencePart.reset_id == reset.id) & (EvidencePart.state == PartState.WRITTEN)
    columns = (EvidencePart.object, EvidencePart.sha256, func.cardinality(EvidencePart.members))
    parts = session.execute(
        select(*columns).where(written, EvidencePart.kind != PartKind.SUMMARY).order_by(EvidencePart.id)
    ).all()
    progress = progress_of(session, reset.id)
    said = about | {
        "state": reset.state.value,
        "error": reset.error,
        "finished_at": reset.finished_at.isoformat() if reset.finished_at else None,
        "learners": {name: getattr(progress, name) for name in ("total", "cleared", "unchanged", "skipped", "failed")},
        "removed": removed_by(session, reset.id),
        "learners_in_parts": sum(learners for _, _, learners in parts),
    }
    sums = as_sums([(sha256 or "", (name or "").rpartition("/")[2]) for name, sha256, _ in parts])
    return _Read(folder, "", about, lambda: [("summary.json", [_json(said)]), ("PARTS.sha256", [sums.encode()])], {})


_READERS: dict[PartKind, Callable[[Session, EvidencePart], _Read]] = {
    PartKind.REQUEST: _request,
    PartKind.LEARNERS: _learners,
    PartKind.SUMMARY: _summary,
}


def _json(said: dict[str, Any]) -> bytes:
    return json.dumps(said, indent=2, ensure_ascii=False).encode() + b"\n"


def _keep_fingerprints(session: Session, part: EvidencePart, fingerprints: dict[int, bytes]) -> None:
    prints = [fingerprints.get(member) for member in part.members]
    values = {EvidencePart.fingerprints: cast(prints, ARRAY(LargeBinary))}
    session.flush()
    changed_rows(session, update(EvidencePart).where(EvidencePart.id == part.id).values(values))
