"""Queries for the participants of an organization, and of a reset."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, aliased

from models.access import Actor, Permission
from models.participants import AskState, Participant, ParticipantRequest
from models.refusals.participants import ParticipantUnknown
from models.resets import Reset
from models.training import Course


@dataclass(frozen=True)
class ParticipantLine:
    """A participant in a list."""

    participant: Participant
    waiting: int  # requests
    given_up: int
    courses: list[str]  # their codes; empty: all courses


@dataclass(frozen=True)
class ResetThere:
    """How far a reset is at one participant: its learners, by what became of the requests about them."""

    code: str
    not_reached: int  # not asked yet, or it could not be reached
    no_answer: int  # asked: the answer is still to come, or was lost
    answered: int
    given_up: int
    withdrawn: int  # the reset was cancelled
    last_words: str | None  # of the last attempt, while something is open

    @property
    def waiting(self) -> int:
        """Learners whom it has still to clear."""
        return self.not_reached + self.no_answer


def participants_seen_by(session: Session, actor: Actor) -> list[ParticipantLine]:
    """Returns the organization's participants, by code. Raises `Forbidden`."""
    actor.must_have(Permission.COURSES)
    mine = (Participant.organization_id == actor.organization_id) & Participant.removed_at.is_(None)
    return _lines(session, mine)


def participant_line(session: Session, actor: Actor, code: str) -> ParticipantLine:
    """Returns one of the organization's participants as a line. Raises `Forbidden`, `ParticipantUnknown`."""
    [line] = _lines(session, Participant.id == find_participant(session, actor, code).id)
    return line


def facts_of(line: ParticipantLine) -> dict[str, Any]:
    """Returns everything about a participant but its secret, for programs."""
    found = line.participant
    return {
        "name": found.code,
        "kind": found.kind,
        "target": found.target,
        "queue": found.queue,
        "courses": line.courses,
        "learners_at_once": found.learners_at_once,
        "per_second": None if found.per_second is None else float(found.per_second),
        "enabled": found.disabled_at is None,
        "waiting": line.waiting,
        "given_up": line.given_up,
    }


def _lines(session: Session, condition: ColumnElement[bool]) -> list[ParticipantLine]:
    of_it = ParticipantRequest.participant_id == Participant.id
    counts = [
        select(func.count()).where(of_it, ParticipantRequest.state == state).scalar_subquery()
        for state in (AskState.WAITING, AskState.GIVEN_UP)
    ]
    waits, gave_up = counts
    rows = session.execute(select(Participant, waits, gave_up).where(condition).order_by(Participant.code)).all()
    wanted = {course for participant, *_ in rows for course in participant.course_ids or []}
    found = session.execute(select(Course.id, Course.code).where(Course.id.in_(wanted)))
    codes = {course_id: code for course_id, code in found}  # noqa: C416 - a row
    return [
        ParticipantLine(participant, waiting, given_up, sorted(codes[one] for one in participant.course_ids or []))
        for participant, waiting, given_up in rows
    ]


def requests_of(session: Session, participant: Participant, limit: int) -> Sequence[ParticipantRequest]:
    """Returns the participant's requests that wait or were given up, those that wait first."""
    open_ones = ParticipantRequest.state.in_((AskState.WAITING, AskState.GIVEN_UP))
    query = (
        select(ParticipantRequest)
        .where(ParticipantRequest.participant_id == participant.id, open_ones)
        .order_by(ParticipantRequest.state.desc(), ParticipantRequest.id)
        .limit(limit)
    )
    return session.scalars(query).all()


def find_participant(session: Session, actor: Actor, code: str, *, lock: bool = False) -> Participant:
    """Returns the organization's participant. Raises `Forbidden`, `ParticipantUnknown`."""
    actor.must_have(Permission.COURSES)
    query = select(Participant).where(
        Participant.organization_id == actor.organization_id,
        Participant.code == code,
        Participant.removed_at.is_(None),
    )
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise ParticipantUnknown(code)
    return found


def there(session: Session, reset: Reset) -> Sequence[ResetThere]:
    """Returns how far the reset is at each of its participants, by code. Reads requests, not learners."""
    if not reset.participants:
        return []
    asked = ParticipantRequest
    waiting, tried = asked.state == AskState.WAITING, asked.outcome.is_not(None)
    conditions = (
        waiting & ~tried,
        waiting & tried,
        asked.state == AskState.ANSWERED,
        asked.state == AskState.GIVEN_UP,
        asked.state == AskState.WITHDRAWN,
    )
    counts = [func.coalesce(func.sum(asked.learners).filter(condition), 0) for condition in conditions]
    open_one = aliased(ParticipantRequest)
    last = (
        select(open_one.outcome)
        .where(
            open_one.reset_id == reset.id,
            open_one.participant_id == Participant.id,
            open_one.state == AskState.WAITING,
            open_one.outcome.is_not(None),
        )
        .order_by(open_one.tried_at.desc())
        .limit(1)
        .correlate(Participant)
        .scalar_subquery()
    )
    rows = session.execute(
        select(Participant.code, last, *counts)
        .outerjoin(asked, (asked.participant_id == Participant.id) & (asked.reset_id == reset.id))
        .where(Participant.id.in_(reset.participants))
        .group_by(Participant.id)
        .order_by(Participant.code)
    )
    found = []
    for code, words, *figures in rows:
        not_reached, no_answer, answered, given_up, withdrawn = map(int, figures)
        found.append(ResetThere(code, not_reached, no_answer, answered, given_up, withdrawn, words))
    return found
