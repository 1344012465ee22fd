"""Learners' files: which belongs to which attempt. Their content is in the storage.

Of every object that Recourse ever puts into the storage there is, from before it exists until after it is gone, a row
in `stored_file` (it is a learner's) or in `file_deletion` (it is to go). A row moves from one to the other within one
transaction, so whatever is killed or rolled back, no object is forgotten. See
`docs/decisions/0020-every-object-has-a-row.md`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    CompoundSelect,
    ForeignKey,
    Identity,
    Index,
    any_,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import Uuid

from models.access import Actor, Permission
from models.files import storage
from models.files.deletions import FileDeletion, keep
from models.files.uploads import Upload
from models.records import AssignmentSubmission, Certificate, LearnerRecord, PracticalAssessment
from models.refusals.files import FileUnknown, UploadExpired
from models.session import transaction
from models.training import Enrolment


class StoredFile(LearnerRecord):
    """A file that came with an attempt at an assignment or a practical assessment; its content is in the storage."""

    __tablename__ = "stored_file"
    __table_args__ = (
        Index(None, "registration", "activity_id"),
        CheckConstraint("size > 0", name="is_not_empty"),
    )
    labels = ("file", "files")

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    activity_id: Mapped[int] = mapped_column(ForeignKey("activity.id"), index=True)
    attempt: Mapped[int]
    key: Mapped[str] = mapped_column(unique=True)  # of the object; random, and never used again
    filename: Mapped[str]  # as the learner named it
    content_type: Mapped[str]
    size: Mapped[int]  # bytes
    sha256: Mapped[str]
    stored_at: Mapped[datetime] = mapped_column(server_default=func.now())


@dataclass(frozen=True)
class Download:
    """A file on its way to somebody."""

    filename: str
    content_type: str
    size: int  # bytes
    content: Iterator[bytes]

    @property
    def disposition(self) -> str:
        """The header `Content-Disposition`: always a download, so that no uploaded page runs as one of ours."""
        return f"attachment; filename*=UTF-8''{quote(self.filename, safe='')}"


def attach(session: Session, submission: AssignmentSubmission | PracticalAssessment, upload: Upload) -> StoredFile:
    """Make the upload part of the attempt: what `models.files.uploads.receive` gave, after `models.learning.submit`.

    In the transaction of the submission, which holds the enrolment: either both stand or neither does. Raises
    `UploadExpired`.
    """
    session.flush()
    if not keep(session, upload.key):
        raise UploadExpired
    row = StoredFile(
        registration=submission.registration,
        activity_id=submission.activity_id,
        attempt=submission.attempt,
        key=upload.key,
        filename=upload.filename,
        content_type=upload.content_type,
        size=upload.size,
        sha256=upload.sha256,
    )
    session.add(row)
    session.flush()
    return row


def files_under(session: Session, registration: UUID) -> Sequence[StoredFile]:
    """The files of a registration, by activity and attempt. Who may see them is for the caller to know."""
    return session.scalars(
        select(StoredFile)
        .where(StoredFile.registration == registration)
        .order_by(StoredFile.activity_id, StoredFile.attempt, StoredFile.id)
    ).all()


def open_file(actor: Actor, file_id: int) -> Download:
    """A file to download, for its learner or for whoever manages the organization's courses or users.

    Outside of any transaction, since the storage may take its time. Raises `FileUnknown`, also for the files of others:
    that they exist is nobody else's business. Raises `StorageUnavailable`.
    """
    with transaction() as session:
        found = session.execute(
            select(StoredFile, Enrolment.user_id)
            .join(Enrolment, Enrolment.registration == StoredFile.registration)
            .where(StoredFile.id == file_id, Enrolment.organization_id == actor.organization_id)
        ).one_or_none()
    may_see_all = bool({Permission.COURSES, Permission.USERS} & actor.permissions)
    if found is None or not (found.user_id == actor.user_id or may_see_all):
        raise FileUnknown(file_id)
    file = found.StoredFile
    content = storage.read(file.key)
    if content is None:
        raise FileUnknown(file_id)
    return Download(file.filename, file.content_type, file.size, content)


def queue_deletions(session: Session, reset_id: UUID | None, registrations: list[UUID]) -> None:
    """Have the objects of these registrations' files and certificates deleted once the session's transaction is
    committed. To be called before their rows are deleted: it reads the keys from them. None: of no reset.
    """
    mine = any_(literal(registrations, ARRAY(Uuid())))
    keys: CompoundSelect[Any] = union_all(
        select(StoredFile.key, literal(reset_id, Uuid())).where(StoredFile.registration == mine),
        select(Certificate.pdf_key, literal(reset_id, Uuid())).where(
            Certificate.registration == mine, Certificate.pdf_key.is_not(None)
        ),
    )
    session.execute(insert(FileDeletion).from_select([FileDeletion.key, FileDeletion.reset_id], keys))
