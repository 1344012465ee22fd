"""What evidence says about learners: who completed what and when, with which result and certificate.

The fingerprint of a learner is made of the same columns as the evidence, by the database, and without times as text,
which depend on a session's time zone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Select,
    Text,
    any_,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by
from sqlalchemy.orm import Session

from models.certificates import Facts
from models.people import Organization, User
from models.records import AssignmentSubmission, Certificate, Completion, PracticalAssessment
from models.training import Activity, Course, Enrolment


@dataclass(frozen=True)
class Result:
    """The result of an assignment or a practical assessment."""

    activity: str
    title: str
    kind: str
    attempt: int
    score: Decimal | None
    at: datetime


@dataclass(frozen=True)
class LearnerFacts:
    """What is known about one learner in the course."""

    enrolment_id: int
    registration: UUID
    user_id: int
    external_id: str | None
    email: str
    name: str
    assigned_at: datetime
    completed_at: datetime | None
    score: Decimal | None
    results: list[Result]
    serial: str | None
    issued_at: datetime | None
    fingerprint: bytes


def learner_facts(session: Session, enrolments: Sequence[int]) -> list[LearnerFacts]:
    """Returns the facts about these learners, by enrolment, all as of one moment."""
    query = (
        select(
            Enrolment.id,
            Enrolment.registration,
            User.id,
            User.external_id,
            User.email,
            User.name,
            Enrolment.assigned_at,
            Completion.completed_at,
            Completion.score,
            _results(),
            Certificate.serial,
            Certificate.issued_at,
            _fingerprint(),
        )
        .join(User, User.id == Enrolment.user_id)
        .outerjoin(Completion, Completion.registration == Enrolment.registration)
        .outerjoin(Certificate, Certificate.registration == Enrolment.registration)
        .where(Enrolment.id == any_(literal(list(enrolments), ARRAY(BigInteger))))
        .order_by(Enrolment.id)
    )
    rows = session.execute(query).all()
    named = _activities(session, {one[0] for row in rows for one in row[9]})
    return [LearnerFacts(*(*row[:9], [_result(one, named) for one in row[9]], *row[10:])) for row in rows]


def fingerprints(enrolments: ColumnElement[Sequence[int]]) -> Select[int, bytes]:
    """Returns the query for the `fingerprint` of each enrolment by its `id`."""
    return (
        select(Enrolment.id, _fingerprint().label("fingerprint"))
        .outerjoin(Completion, Completion.registration == Enrolment.registration)
        .outerjoin(Certificate, Certificate.registration == Enrolment.registration)
        .where(Enrolment.id == any_(enrolments))
    )


def certificates_of(session: Session, registrations: Sequence[UUID]) -> dict[UUID, Facts]:
    """Returns what is printed on the certificates of these registrations. Call it in the transaction of the facts."""
    rows = session.execute(
        select(Certificate, User, Course, Organization)
        .join(Enrolment, Enrolment.registration == Certificate.registration)
        .join(User, User.id == Enrolment.user_id)
        .join(Course, Course.id == Enrolment.course_id)
        .join(Organization, Organization.id == Enrolment.organization_id)
        .where(Certificate.registration.in_(registrations))
    )
    return {
        certificate.registration: Facts(
            certificate.serial, certificate.issued_at, user, course, organization, certificate.pdf_key
        )
        for certificate, user, course, organization in rows
    }


def _epoch(moment: Any) -> ColumnElement[Any]:
    return func.extract("epoch", moment)


def _results() -> ColumnElement[Any]:
    """The learner's results: activity, attempt, score, and seconds since 1970."""
    parts = [
        select(table.activity_id, table.attempt, table.score, _epoch(at).label("at")).where(
            table.registration == Enrolment.registration
        )
        for table, at in (
            (AssignmentSubmission, AssignmentSubmission.submitted_at),
            (PracticalAssessment, PracticalAssessment.assessed_at),
        )
    ]
    each = union_all(*(part.correlate(Enrolment) for part in parts)).subquery("result")
    one = func.jsonb_build_array(each.c.activity_id, each.c.attempt, each.c.score, each.c.at)
    ordered = aggregate_order_by(one, each.c.activity_id, each.c.attempt)
    all_of_them = select(func.coalesce(func.jsonb_agg(ordered), literal([], JSONB)))
    return all_of_them.select_from(each).scalar_subquery()


def _fingerprint() -> ColumnElement[bytes]:
    said = func.jsonb_build_array(
        Enrolment.registration,
        Enrolment.user_id,
        _epoch(Enrolment.assigned_at),
        _epoch(Enrolment.completed_at),
        _epoch(Completion.completed_at),
        Completion.score,
        _results(),
        Certificate.serial,
        _epoch(Certificate.issued_at),
    )
    return func.sha256(func.convert_to(said.cast(Text), "UTF8"))


def _activities(session: Session, ids: set[int]) -> dict[int, Activity]:
    return {one.id: one for one in session.scalars(select(Activity).where(Activity.id.in_(ids)))} if ids else {}


def _result(row: list[Any], named: dict[int, Activity]) -> Result:
    activity_id, attempt, score, at = row
    about = named[activity_id]
    moment = datetime.fromtimestamp(float(at), UTC)
    points = None if score is None else Decimal(str(score))
    return Result(about.reference, about.title, about.kind.value, attempt, points, moment)
