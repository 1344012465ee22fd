"""End learners' registrations: delete every record under them, and give each learner a new one, at 0 %."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    ColumnElement,
    DateTime,
    Select,
    Subquery,
    Uuid,
    any_,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.orm import Session

from models.arrays import array_of
from models.audience_lists import AudienceListLearner
from models.certificates import supersede
from models.files.files import deletions_under
from models.journal import note_ended
from models.participant_asks import PARTICIPANTS, SLICE, note_asked
from models.records import LearnerRecord, in_order_of_deletion
from models.resets import Reset, ResetItem
from models.training import Enrolment, EnrolmentState
from models.webhook_messages import note_learners

_Registrations = ColumnElement[Sequence[UUID]]
# Not the names of columns: SQLAlchemy would set those in every table that the statement writes.
_ENROLMENTS = bindparam("these_enrolments", type_=ARRAY(BigInteger()))
_RESET_ID = bindparam("this_reset", type_=Uuid())
_ORGANIZATION_ID = bindparam("its_organization", type_=BigInteger())
_LIST_ID = bindparam("its_list", type_=Uuid())
_DUE_AT = bindparam("new_due_at", type_=DateTime(timezone=True))


def end_registrations(
    session: Session,
    enrolments: Sequence[int],
    *,
    reset: Reset | None = None,
    number: int = 0,
    due_at: datetime | None = None,
    journalled: bool = True,
) -> dict[str, int]:
    """End the current registrations of these enrolments. Returns how many rows were deleted, by record kind.

    The caller has locked the enrolments, in an earlier statement: this one must see what learners wrote until then. For
    a `reset`, their outcomes are in the ledger by now; they are reported to the webhooks that subscribe, and noted for
    its participants in slice `number`. A due date that has passed belonged to the past run, and goes with it; the one
    of the reset's list, or else `due_at`, replaces any. `journalled` is false for registrations that ended once before.
    """
    if not enrolments:
        return {}
    kinds = tuple(in_order_of_deletion())
    counts = session.execute(
        _statement(
            kinds,
            journalled=journalled,
            reported=reset is not None,
            asked=bool(reset and reset.participants),
            listed=reset is not None and reset.list_id is not None,
        ),
        {
            "these_enrolments": list(enrolments),
            "this_reset": reset.id if reset else None,
            "its_organization": reset.organization_id if reset else None,
            "new_due_at": due_at,
            **({_LIST_ID.key: reset.list_id} if reset and reset.list_id else {}),
            **({PARTICIPANTS.key: reset.participants, SLICE.key: number} if reset and reset.participants else {}),
        },
    ).one()
    return {kind.kind(): count for kind, count in zip(kinds, counts, strict=True) if count}


@lru_cache(maxsize=8)
def _statement(
    kinds: tuple[type[LearnerRecord], ...], *, journalled: bool, reported: bool, asked: bool, listed: bool
) -> Select[Any]:
    """One statement: PostgreSQL plans it once a connection, and every part of it reads the rows as they were before.

    Registrations and enrolments are given as arrays, so that rows are found by index however many there are.
    """
    ending = select(Enrolment.id, Enrolment.registration).where(Enrolment.id == any_(_ENROLMENTS)).cte("ending")
    under: _Registrations = array_of(select(ending.c.registration))
    deleted = [_deleted(kind, under) for kind in kinds]
    renewed = _renewed(listed=listed)
    statement = select(*(select(func.count()).select_from(gone).scalar_subquery() for gone in deleted)).add_cte(
        renewed, deletions_under(under, _RESET_ID).cte("queued"), supersede(under).cte("superseded")
    )
    if journalled:
        statement = statement.add_cte(note_ended(under).cte("journal"))
    if reported:
        noted = note_learners(_ORGANIZATION_ID, _RESET_ID, _learners(ending, renewed))
        statement = statement.add_cte(noted.cte("noted"))
    if asked:
        statement = statement.add_cte(note_asked(_RESET_ID, _learners(ending, renewed)).cte("asked"))
    return statement


def _deleted(kind: type[LearnerRecord], under: _Registrations) -> CTE:
    gone: Any = delete(kind).where(kind.registration == any_(under)).returning(literal_column("1").label("one"))
    deleted: CTE = gone.cte(f"deleted_{kind.kind()}")
    return deleted


def _renewed(*, listed: bool) -> CTE:
    own = select(AudienceListLearner.due_at).where(
        AudienceListLearner.list_id == _LIST_ID, AudienceListLearner.enrolment_id == Enrolment.id
    )
    due_dates = [own.scalar_subquery(), _DUE_AT] if listed else [_DUE_AT]
    afresh = {
        Enrolment.state: EnrolmentState.ASSIGNED,
        Enrolment.progress: 0,
        Enrolment.completed_at: null(),
        Enrolment.reset_at: func.clock_timestamp(),
        Enrolment.registration: func.uuidv7(),
        Enrolment.registered_xid: func.pg_current_xact_id(),  # or a trigger would be called for each
        Enrolment.due_at: func.coalesce(*due_dates, case((Enrolment.due_at > func.now(), Enrolment.due_at))),
    }
    return (
        update(Enrolment)
        .where(Enrolment.id == any_(_ENROLMENTS))
        .values(afresh)
        .returning(Enrolment.id, Enrolment.user_id, Enrolment.registration)
        .cte("renewed")
    )


def _learners(ending: CTE, renewed: CTE) -> Subquery:
    """Who got which new registration, with the outcomes that the ledger has."""
    return (
        select(
            renewed.c.id.label("enrolment_id"),
            renewed.c.user_id,
            ResetItem.state.label("outcome"),
            ending.c.registration.label("old_registration"),
            renewed.c.registration.label("new_registration"),
        )
        .select_from(renewed)
        .join(ending, ending.c.id == renewed.c.id)
        .join(ResetItem, (ResetItem.reset_id == _RESET_ID) & (ResetItem.enrolment_id == renewed.c.id))
        .subquery("learners")
    )
