"""Writing whom participants are asked about: learners when they are cleared, requests when their slice is done."""

from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Insert,
    Select,
    Subquery,
    Uuid,
    any_,
    bindparam,
    column,
    func,
    insert,
    literal,
    select,
    true,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from models.participants import AskState, Participant, ParticipantItem, ParticipantRequest
from models.resets import ItemState, Reset, ResetItem, ResetSlice
from models.session import changed_rows

PARTICIPANTS = bindparam("these_participants", type_=ARRAY(BigInteger()))
SLICE = bindparam("this_slice", type_=BigInteger())


def participants_of(session: Session, organization_id: int, course_id: int) -> list[int]:
    """Returns the ids of the participants that a reset of the course asks."""
    return list(session.scalars(participants_query(organization_id, course_id)))


def participants_query(organization_id: int, course_id: int) -> Select[int]:
    """Returns the query of `participants_of`."""
    here = Participant.course_ids.is_(None) | (literal(course_id, BigInteger) == any_(Participant.course_ids))
    mine = (Participant.organization_id == organization_id) & Participant.removed_at.is_(None)
    return select(Participant.id).where(mine, here, Participant.disabled_at.is_(None)).order_by(Participant.id)


def note_asked(reset_id: ColumnElement[UUID], learners: Subquery) -> Insert:
    """Returns the statement that notes the learners for each participant in `PARTICIPANTS`.

    `learners` has the columns `enrolment_id`, `outcome`, `old_registration` and `new_registration`.
    """
    participant = func.unnest(PARTICIPANTS).table_valued(column("id", BigInteger)).render_derived(name="participant")
    columns = {
        ParticipantItem.reset_id: reset_id,
        ParticipantItem.participant_id: participant.c.id,
        ParticipantItem.enrolment_id: learners.c.enrolment_id,
        ParticipantItem.slice_number: SLICE,
        ParticipantItem.here: learners.c.outcome,
        ParticipantItem.old_registration: learners.c.old_registration,
        ParticipantItem.new_registration: learners.c.new_registration,
    }
    rows = select(*columns.values()).select_from(learners.join(participant, true()))
    return insert(ParticipantItem).from_select([*columns], rows)


def let_wait(session: Session, reset_id: UUID, enrolments: list[int]) -> None:
    """Mark learners as cleared here and waiting for participants."""
    learners = (ResetItem.reset_id == reset_id) & (ResetItem.enrolment_id.in_(enrolments))
    changed_rows(session, update(ResetItem).where(learners).values(state=ItemState.WAITING))


def write_requests(session: Session, reset: Reset, number: int | None = None) -> None:
    """Cut the noted learners of a settled slice, or of all of these, into requests of the sizes that participants take.

    The caller holds the slice, or the reset, to the end of the transaction: no one is put into two requests.
    """
    done = (ResetSlice.reset_id == reset.id) & (ResetSlice.number == ParticipantItem.slice_number)
    done &= ResetSlice.settled_at.is_not(None)
    loose = (ParticipantItem.reset_id == reset.id) & ParticipantItem.request_id.is_(None)
    if number is not None:
        loose &= ParticipantItem.slice_number == number
    of_one = ParticipantItem.participant_id
    place = func.row_number().over(partition_by=of_one, order_by=ParticipantItem.enrolment_id) - 1
    placed = (
        select(of_one, ParticipantItem.enrolment_id, (place // Participant.learners_at_once).label("part"))
        .join(Participant, Participant.id == ParticipantItem.participant_id)
        .join(ResetSlice, done)
        .where(loose)
        .cte("placed")
    )
    one = (placed.c.participant_id, placed.c.part)
    cut = select(*one, func.uuidv7().label("id"), func.count().label("learners")).group_by(*one).cte("cut")
    written = (
        insert(ParticipantRequest)
        .from_select(
            [
                ParticipantRequest.id,
                ParticipantRequest.participant_id,
                ParticipantRequest.organization_id,
                ParticipantRequest.reset_id,
                ParticipantRequest.learners,
            ],
            select(
                cut.c.id,
                cut.c.participant_id,
                Participant.organization_id,
                literal(reset.id, Uuid()),
                cut.c.learners,
            ).join(Participant, Participant.id == cut.c.participant_id),
        )
        .cte("written")
    )
    session.execute(
        update(ParticipantItem)
        .where(
            ParticipantItem.reset_id == reset.id,
            ParticipantItem.participant_id == placed.c.participant_id,
            ParticipantItem.enrolment_id == placed.c.enrolment_id,
            cut.c.participant_id == placed.c.participant_id,
            cut.c.part == placed.c.part,
        )
        .values(request_id=cut.c.id)
        .add_cte(written)
        .execution_options(synchronize_session=False)
    )


def waiting_for(session: Session, reset_id: UUID) -> dict[str, int]:
    """Returns how many learners of the reset are in open requests, by the participant's code."""
    waiting = ParticipantRequest.state == AskState.WAITING
    rows = session.execute(
        select(Participant.code, func.sum(ParticipantRequest.learners))
        .join(Participant, Participant.id == ParticipantRequest.participant_id)
        .where(ParticipantRequest.reset_id == reset_id, waiting)
        .group_by(Participant.code)
        .order_by(Participant.code)
    )
    return {code: int(learners) for code, learners in rows}


def is_asking(reset_id: InstrumentedAttribute[UUID]) -> ColumnElement[bool]:
    """Returns the condition that a participant is being asked about learners of the reset."""
    waiting = ParticipantRequest.state == AskState.WAITING
    return select(ParticipantRequest).where(ParticipantRequest.reset_id == reset_id, waiting).exists()
