"""Enrolments: `course` or `course_external_id`, `email` or `user_external_id`, and what is to be said of them.

`assigned` false unassigns the course; records stay under their registration, and a learner who is assigned again
continues there. Without `assigned`, a line adds a missing enrolment and leaves an unassigned one as it is. Courses and
users must exist.

History: `progress` in percent, with the moment `progress_at`; `completed_at`, with a `score`. See
`docs/decisions/0093-imports-bring-history.md`.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO

from sqlalchemy.orm import Session

from models.access import Actor, Permission
from tasks.imports.history import write_enrolments
from tasks.imports.lines import Errors, Form, read
from tasks.imports.stage import Full, Imported, Stage
from tasks.imports.values import (
    NUMBER,
    Column,
    course_code,
    email,
    external_id,
    moment,
    progress,
    score,
    yes_or_no,
)

COLUMNS = {
    "course": Column(course_code),
    "course_external_id": Column(external_id),
    "email": Column(email),
    "user_external_id": Column(external_id),
    "due_at": Column(moment),
    "assigned": Column(yes_or_no),
    "progress": Column(progress, takes=NUMBER),
    "progress_at": Column(moment),
    "completed_at": Column(moment),
    "score": Column(score, takes=NUMBER),
}
STAGED = {
    "course": "text",
    "course_external_id": "text",
    "email": "text",
    "user_external_id": "text",
    "due_at": "timestamptz",
    "assigned": "boolean",
    "progress": "smallint",
    "progress_at": "timestamptz",
    "completed_at": "timestamptz",
    "score": "numeric(5, 2)",
}
EITHER = [("course", "course_external_id"), ("email", "user_external_id")]

FOUND = """
SELECT l.line, coalesce(by_code.id, by_id.id) AS course_id, coalesce(u.id, x.id) AS user_id,
       l.due_at, CASE WHEN :full THEN coalesce(l.assigned, true) ELSE l.assigned END AS assigned,
       l.progress, l.progress_at, l.completed_at, l.score
FROM import_line l
LEFT JOIN course by_code ON by_code.organization_id = :organization AND by_code.code = l.course
LEFT JOIN course by_id ON by_id.organization_id = :organization AND by_id.external_id = l.course_external_id
LEFT JOIN "user" u ON u.organization_id = :organization AND lower(u.email) = lower(l.email)
LEFT JOIN "user" x ON x.organization_id = :organization AND x.external_id = l.user_external_id
"""
NO_COURSE = """
SELECT line, coalesce('course: there is no course ' || course,
                      'course_external_id: there is no course with the id ' || course_external_id) AS wrong
FROM import_enrolment JOIN import_line USING (line) WHERE course_id IS NULL
"""
NO_USER = """
SELECT line, coalesce('email: there is no user ' || email,
                      'user_external_id: there is no user with the id ' || user_external_id) AS wrong
FROM import_enrolment JOIN import_line USING (line) WHERE user_id IS NULL
"""
TWICE = """
SELECT line, CASE WHEN l.email IS NULL THEN 'user_external_id' ELSE 'email' END
             || ': line ' || first || ' has the same course and user' AS wrong
FROM (SELECT line, min(line) OVER (PARTITION BY course_id, user_id) AS first
      FROM import_enrolment WHERE course_id IS NOT NULL AND user_id IS NOT NULL) same
JOIN import_line l USING (line) WHERE line > first
"""


def import_enrolments(session: Session, actor: Actor, file: BinaryIO, form: Form, full: Full | None = None) -> Imported:
    """Assign and unassign courses as the file says, and bring their history; with `full`, unassign all others.

    Raises `Forbidden`, `ImportInvalid`, `ImportRemovesTooMuch`.
    """
    actor.must_have(Permission.COURSES)
    errors = Errors()
    stage = Stage(session, actor, STAGED, errors, full=full)
    stage.fill(_rows(file, form, errors))
    stage.wait_for_others()
    prepare_enrolments(stage)
    return write_enrolments(stage)


def prepare_enrolments(stage: Stage) -> None:
    """Find the courses and users of the staged lines, and note what is wrong."""
    stage.prepare("import_enrolment", FOUND, by="user_id, course_id")
    for query in (NO_COURSE, NO_USER, TWICE):
        stage.check(query)


def _rows(file: BinaryIO, form: Form, errors: Errors) -> Iterator[tuple[Any, ...]]:
    for line, values in read(file, form, COLUMNS, errors, either=EITHER):
        before = errors.count
        for one, other in EITHER:
            if values[one] is not None and values[other] is not None:
                errors.add(line, f"{other}: must be empty if {one} is given")
        if values["score"] is not None and values["completed_at"] is None:
            errors.add(line, "score: must be empty without completed_at")
        if errors.count == before:
            yield line, *values.values()
