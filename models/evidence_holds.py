"""Holding the slices of a reset until their evidence is in the store, and the check that it still says what is true."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, column, func, insert, literal, select, text, true, update
from sqlalchemy.orm import Session

from models.arrays import array_of
from models.evidence import LANES, EvidencePart, EvidenceStore, PartKind, PartState, first_lane, part_of
from models.evidence_facts import fingerprints
from models.participant_asks import participants_query
from models.resets import Reset, ResetSlice
from models.session import changed_rows


def asked_at_start(session: Session, reset: Reset) -> tuple[list[int], bool]:
    """Returns the participants that the reset asks, and whether its organization wants evidence before deletion."""
    participants = array_of(participants_query(reset.organization_id, reset.course_id))
    wanted = select(EvidenceStore).where(EvidenceStore.organization_id == reset.organization_id).exists()
    ids, evidence = session.execute(select(participants, wanted)).one()
    return list(ids), bool(evidence)


def part_about(session: Session, reset: Reset, kind: PartKind) -> EvidencePart:
    """Returns the reset's last part of this kind; a new one, to be written, if there is none.

    The caller holds the reset.
    """
    found = session.scalar(
        select(EvidencePart).where(part_of(reset.id, kind)).order_by(EvidencePart.id.desc()).limit(1)
    )
    return found or add_part(session, reset, kind)


def add_part(session: Session, reset: Reset, kind: PartKind) -> EvidencePart:
    """Returns a new part of the reset's evidence, which waits to be written."""
    part = EvidencePart(
        organization_id=reset.organization_id, reset_id=reset.id, kind=kind, lane=first_lane(reset.organization_id)
    )
    session.add(part)
    session.flush()
    return part


# Of a small reset, whose slices are one learner each, one part has all.
_CUT = text("""
WITH loose AS (
    SELECT number, CASE WHEN :together THEN 0 ELSE number END AS place, member
    FROM reset_slice, unnest(members) member
    WHERE reset_id = :reset AND held AND evidence_part_id IS NULL AND settled_at IS NULL
), cut AS (
    SELECT uuidv7() AS id, place, array_agg(member ORDER BY member) AS members FROM loose GROUP BY place
), added AS (
    INSERT INTO evidence_part (id, organization_id, reset_id, kind, lane, members)
    SELECT id, :organization, :reset, 'learners', :lane + place % :lanes, members FROM cut
)
UPDATE reset_slice s SET evidence_part_id = cut.id
FROM cut
WHERE s.reset_id = :reset AND s.held AND s.evidence_part_id IS NULL AND s.settled_at IS NULL
  AND cut.place = CASE WHEN :together THEN 0 ELSE s.number END
""")


def write_parts(session: Session, reset: Reset, *, together: bool) -> None:
    """Write the parts that the held slices wait for: one for all of them `together`, or one for each."""
    lane = first_lane(reset.organization_id)
    values = {"reset": reset.id, "organization": reset.organization_id, "lane": lane, "lanes": LANES}
    session.execute(_CUT, values | {"together": together})


def release(session: Session, part_id: UUID) -> None:
    """Let the slices be sent that wait for the part."""
    reset_id = select(EvidencePart.reset_id).where(EvidencePart.id == part_id).scalar_subquery()
    mine = (ResetSlice.reset_id == reset_id) & (ResetSlice.evidence_part_id == part_id) & ResetSlice.held
    changed_rows(session, update(ResetSlice).where(mine).values(held=False))


def why_not_written(session: Session, piece: ResetSlice) -> str | None:
    """Returns why the evidence of the slice was given up, `None` if it was not."""
    given_up = (EvidencePart.id == piece.evidence_part_id) & (EvidencePart.state == PartState.GIVEN_UP)
    return session.scalar(select(func.coalesce(EvidencePart.outcome, "")).where(given_up))


def changed_since_written(session: Session, piece: ResetSlice, learners: Sequence[int]) -> set[int]:
    """Returns who of these learners has no evidence, or changed since it was written; of no enrolment, there is none.

    The caller has locked the learners in an earlier statement, so that what is found true stays true.
    """
    member = (
        func.unnest(EvidencePart.members, EvidencePart.fingerprints)
        .table_valued(column("enrolment_id", BigInteger), column("fingerprint"))
        .render_derived(name="member")
    )
    now = fingerprints(literal(list(learners), ARRAY(BigInteger))).subquery("now")
    same = (
        select(now.c.id)
        .select_from(EvidencePart)
        .join(member, true())
        .join(now, (now.c.id == member.c.enrolment_id) & (now.c.fingerprint == member.c.fingerprint))
        .where(EvidencePart.id == piece.evidence_part_id, EvidencePart.state == PartState.WRITTEN)
    )
    return set(session.scalars(select(now.c.id))) - set(session.scalars(same))


def set_aside(session: Session, piece: ResetSlice, learners: Collection[int]) -> None:
    """Move learners out of a slice, which the caller holds, into a new one that is held until their evidence is written
    again."""
    aside = sorted(learners)
    piece.members = [member for member in piece.members if member not in learners]
    piece.learners -= len(aside)
    session.flush()
    last = select(func.coalesce(func.max(ResetSlice.number), 0)).where(ResetSlice.reset_id == piece.reset_id)
    while True:  # another slice may take the number at this moment
        number = session.scalars(last).one() + 1
        values = {"number": number, "first": aside[0], "last": aside[-1], "members": aside, "learners": len(aside)}
        row = text("""
            INSERT INTO reset_slice (reset_id, number, first, last, members, learners, position, held)
            VALUES (:reset, :number, :first, :last, :members, :learners, :position, true)
            ON CONFLICT DO NOTHING RETURNING number
        """)
        if session.scalar(row, values | {"reset": piece.reset_id, "position": piece.position}) is not None:
            break
    organization_id = select(Reset.organization_id).where(Reset.id == piece.reset_id)
    owner = session.scalars(organization_id).one()
    part_id = session.scalars(
        insert(EvidencePart)
        .values(
            organization_id=owner,
            reset_id=piece.reset_id,
            kind=PartKind.LEARNERS,
            lane=first_lane(owner) + number % LANES,
            members=aside,
        )
        .returning(EvidencePart.id)
    ).one()
    this = (ResetSlice.reset_id == piece.reset_id) & (ResetSlice.number == number)
    changed_rows(session, update(ResetSlice).where(this).values(evidence_part_id=part_id))


def withdraw_parts(session: Session, reset: Reset) -> None:
    """Write no more evidence of a cancelled reset: nobody further is cleared."""
    waiting = part_of(reset.id, PartKind.REQUEST, PartKind.LEARNERS) & (EvidencePart.state == PartState.WAITING)
    changed_rows(session, update(EvidencePart).where(waiting).values(state=PartState.WITHDRAWN))
