"""What a part says about learners: a line of JSON and a line of CSV each, and their certificates as PDF."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from models.certificates import Facts
from models.evidence_facts import LearnerFacts, Result, certificates_of, learner_facts
from models.session import Session
from models.training import Course
from tasks.certificates.documents import document_of
from tasks.csv_text import csv_text

HEAD = (
    "enrolment",
    "user_id",
    "external_id",
    "email",
    "name",
    "course",
    "assigned_at",
    "completed_at",
    "score",
    "certificate_serial",
    "certificate_issued_at",
    "certificate_file",
)


@dataclass(frozen=True)
class LearnersPart:
    """The learners of one part, as of one moment."""

    course: Course
    learners: Sequence[LearnerFacts]
    certificates: dict[UUID, Facts]

    def files(self) -> Iterator[tuple[str, Iterable[bytes]]]:
        """Yields the files of the part by name. Reads certificates from the storage, so outside of transactions."""
        yield "learners.ndjson", (_line(self.course, one) for one in self.learners)
        yield "learners.csv", _table(self.course, self.learners)
        for one in self.learners:
            if (facts := self.certificates.get(one.registration)) is not None:
                yield file_of(one), [document_of(facts)]


def read_learners(session: Session, course: Course, enrolments: Sequence[int]) -> LearnersPart:
    """Returns the learners as they are now."""
    learners = learner_facts(session, enrolments)
    with_one = [one.registration for one in learners if one.serial is not None]
    return LearnersPart(course, learners, certificates_of(session, with_one) if with_one else {})


def file_of(one: LearnerFacts) -> str:
    """Returns the name of the learner's certificate in the bundle. Not the serial, which may have any form."""
    return f"certificates/{one.enrolment_id}.pdf"


def _line(course: Course, one: LearnerFacts) -> bytes:
    certificate = {"serial": one.serial, "issued_at": one.issued_at, "file": file_of(one)} if one.serial else None
    said = {
        "enrolment": one.enrolment_id,
        "registration": one.registration,
        "user": {"id": one.user_id, "external_id": one.external_id, "email": one.email, "name": one.name},
        "course": {"code": course.code, "external_id": course.external_id, "title": course.title},
        "assigned_at": one.assigned_at,
        "completed_at": one.completed_at,
        "score": one.score,
        "results": [_result(result) for result in one.results],
        "certificate": certificate,
    }
    return json.dumps(said, ensure_ascii=False, default=_plain).encode() + b"\n"


def _result(result: Result) -> dict[str, Any]:
    names = ("activity", "title", "kind", "attempt", "score", "at")
    return {name: getattr(result, name) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else str(value)


def _table(course: Course, learners: Sequence[LearnerFacts]) -> Iterator[bytes]:
    yield csv_text([HEAD]).encode()
    for one in learners:
        row = (
            one.enrolment_id,
            one.user_id,
            one.external_id,
            one.email,
            one.name,
            course.code,
            one.assigned_at,
            one.completed_at,
            one.score,
            one.serial,
            one.issued_at,
            file_of(one) if one.serial else None,
        )
        yield csv_text([row]).encode()
