"""Learners' files, and the attempts they belong to. Their content is in the storage.

From before it exists until after it is deleted, every object in the storage has a row: in `stored_file` if it belongs
to a learner, in `file_deletion` if it is to be deleted. The row moves between these tables in one transaction, so that
no crash or rollback leaves an object without one. See `docs/decisions/0020-every-object-has-a-row.md`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    CompoundSelect,
    ForeignKey,
    Identity,
    Index,
    any_,
    func,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.access import Actor, Permission
from models.files.deletions import FileDeletion, keep
from models.records import AssignmentSubmission, Certificate, LearnerRecord, PracticalAssessment
from models.refusals.files import FileUnknown, UploadExpired
from models.session import transaction
from models.training import Enrolment

if TYPE_CHECKING:
    from models.files.uploads import Upload


class StoredFile(LearnerRecord):
    """A file of an attempt at an assignment or a practical assessment; its content is in the storage."""

    __tablename__ = "stored_file"
    __table_args__ = (
        Index(None, "registration", "activity_id"),
        CheckConstraint("size > 0", name="is_not_empty"),
    )
    labels = ("file", "files")

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    activity_id: Mapped[int] = mapped_column(ForeignKey("activity.id"), index=True)
    attempt: Mapped[int]
    key: Mapped[str] = mapped_column(unique=True)  # of the object; random and never reused
    filename: Mapped[str]  # as the learner named the file
    content_type: Mapped[str]
    size: Mapped[int]  # bytes
    sha256: Mapped[str]
    stored_at: Mapped[datetime] = mapped_column(server_default=func.now())


@dataclass(frozen=True)
class Download:
    """A file to be downloaded."""

    filename: str
    content_type: str
    size: int  # bytes
    content: Iterator[bytes]

    @property
    def disposition(self) -> str:
        """The header `Content-Disposition`: always a download, so that no uploaded page runs on our site."""
        return f"attachment; filename*=UTF-8''{quote(self.filename, safe='')}"


def attach(session: Session, submission: AssignmentSubmission | PracticalAssessment, upload: "Upload") -> StoredFile:
    """Attach an upload from `models.files.uploads.receive` to an attempt from `models.learning.submit`.

    Call it in the transaction of the attempt, which locks the enrolment. Raises `UploadExpired`.
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
    """Returns the files of a registration, by activity and attempt. The caller checks who may see them."""
    return session.scalars(
        select(StoredFile)
        .where(StoredFile.registration == registration)
        .order_by(StoredFile.activity_id, StoredFile.attempt, StoredFile.id)
    ).all()


def open_file(actor: Actor, file_id: int) -> Download:
    """Returns a file to download, for its learner or for those who manage the organization's courses or users.

    Call it outside a transaction, since the storage may be slow. Raises `FileUnknown`, also for files of others, so
    that no one learns which exist, and `StorageUnavailable`.
    """
    from models.files import storage  # loads obstore; the tables are loaded by every command

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


def deletions_under(registrations: ColumnElement[Sequence[UUID]], reset_id: ColumnElement[UUID]) -> Insert:
    """Returns the statement that queues the deletion of the objects of these registrations' files and certificates.

    Their rows must still be there for it, since it reads the keys from them.
    """
    mine = any_(registrations)
    keys: CompoundSelect[Any] = union_all(
        select(StoredFile.key, reset_id).where(StoredFile.registration == mine),
        select(Certificate.pdf_key, reset_id).where(Certificate.registration == mine, Certificate.pdf_key.is_not(None)),
    )
    return insert(FileDeletion).from_select([FileDeletion.key, FileDeletion.reset_id], keys)
