"""Evidence before deletion: an organization's store, the parts of a reset's evidence, and the keys that sign it.

A slice of a reset with evidence is held until the part that has its learners is in the store. A part is an item of an
outbox, which `tasks/evidence/write.py` works off.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    LargeBinary,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from models.base import Base, one_of
from models.outbox import Outbox
from models.sealing import MayHaveSecret

LANES = 4  # parts of one organization that are written at a time
MOST_IN_A_PART = 500  # learners
LONGEST_LOCK = 36_500  # days


class PartKind(StrEnum):
    """What a part holds."""

    REQUEST = "request"  # who asks for what, and why; before the reset begins
    LEARNERS = "learners"  # the completions, results and certificates of some learners; before they are cleared
    SUMMARY = "summary"  # the result, and the checksums of all parts; after the end


class PartState(StrEnum):
    """Where a part stands."""

    WAITING = "waiting"  # to be written, or tried again, at `next_try_at`
    WRITTEN = "written"  # in the store
    GIVEN_UP = "given_up"  # tried too often, or refused for good
    WITHDRAWN = "withdrawn"  # the reset was cancelled


class EvidenceKey(MayHaveSecret, Base):
    """An Ed25519 key of the installation. Its public part is kept for good, since evidence is; a retired one has no
    private part any more."""

    __tablename__ = "evidence_key"
    __table_args__ = (
        Index(
            "uq_evidence_key_signs",
            text("(retired_at IS NULL)"),
            unique=True,
            postgresql_where=text("retired_at IS NULL"),
        ),
        CheckConstraint("(sealed_secret IS NULL) = (retired_at IS NOT NULL)", name="retired_cannot_sign"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)  # from a hash of the public key
    public_key: Mapped[str]  # PEM
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    retired_at: Mapped[datetime | None]


class EvidenceStore(MayHaveSecret, Base):
    """Where the evidence of an organization's resets is written. Without a row, its resets have none."""

    __tablename__ = "evidence_store"
    __table_args__ = (
        CheckConstraint(f"lock_days BETWEEN 1 AND {LONGEST_LOCK}", name="lock_days"),
        CheckConstraint("(access_key_id IS NULL) = (sealed_secret IS NULL)", name="key_has_its_secret"),
    )

    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), primary_key=True, autoincrement=False)
    url: Mapped[str]  # s3://bucket/prefix, or file:///folder
    endpoint: Mapped[str | None]  # of an S3 server other than Amazon's
    region: Mapped[str]
    access_key_id: Mapped[str | None]
    lock_days: Mapped[int | None]  # each object is locked for that long; none: as the bucket does by itself
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class EvidencePart(Base):
    """A part of a reset's evidence: one object in the store."""

    __tablename__ = "evidence_part"
    __table_args__ = (
        Index(None, "organization_id"),
        Index(None, "reset_id", "state"),
        Index("ix_evidence_part_due", "lane", "next_try_at", "id", postgresql_where=text("state = 'waiting'")),
        Index("ix_evidence_part_given_up", "lane", postgresql_where=text("state = 'given_up'")),
        Index("ix_evidence_part_given_up_at", "tried_at", postgresql_where=text("state = 'given_up'")),
        CheckConstraint("(state = 'written') = (object IS NOT NULL AND sha256 IS NOT NULL)", name="written_says_where"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("uuidv7()"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    reset_id: Mapped[UUID] = mapped_column(ForeignKey("reset.id", ondelete="CASCADE"))
    kind: Mapped[PartKind] = mapped_column(one_of(PartKind, "kind"))
    lane: Mapped[int]  # of its organization; those of one lane are written one after the other
    members: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default="{}")  # enrolments, in order
    # Of what was written about each member, in the same order: who has changed since is not cleared.
    fingerprints: Mapped[list[bytes | None]] = mapped_column(ARRAY(LargeBinary), server_default="{}")
    state: Mapped[PartState] = mapped_column(one_of(PartState, "state"), server_default=PartState.WAITING.value)
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_try_at: Mapped[datetime] = mapped_column(server_default=func.now())
    tried_at: Mapped[datetime | None]
    outcome: Mapped[str | None]  # of the last attempt, in words
    object: Mapped[str | None]  # its name in the store
    sha256: Mapped[str | None]


PARTS = Outbox(
    EvidencePart,
    turn=EvidencePart.lane,
    due_at=EvidencePart.next_try_at,
    attempts=EvidencePart.attempts,
    waiting=EvidencePart.state == literal_column("'waiting'"),
    given_up=EvidencePart.state == literal_column("'given_up'"),
    organization=EvidencePart.organization_id.expression,
    then_by=(EvidencePart.id,),
    begun={"tried_at": func.now()},
    tried_at=EvidencePart.tried_at,
)


def is_writing(reset_id: InstrumentedAttribute[UUID]) -> ColumnElement[bool]:
    """Returns the condition that a part of the reset's evidence waits for the store."""
    waiting = EvidencePart.state == literal_column("'waiting'")
    return select(EvidencePart).where(EvidencePart.reset_id == reset_id, waiting).exists()


def part_of(reset_id: UUID, *kinds: PartKind) -> ColumnElement[bool]:
    """Returns the condition that a part belongs to the reset, and is of one of these kinds."""
    return (EvidencePart.reset_id == reset_id) & EvidencePart.kind.in_(kinds)


def first_lane(organization_id: int) -> int:
    """Returns the first of an organization's lanes."""
    return organization_id * LANES


def as_sums(files: Sequence[tuple[str, str]]) -> str:
    """Returns the lines of a file for `sha256sum -c`, from checksums and names."""
    return "".join(f"{checksum}  {name}\n" for checksum, name in files)
