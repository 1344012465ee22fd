"""Enrolments: `course` (its code), `email`, and optionally `due_at` and `assigned`.

`assigned` false unassigns the course; records stay under their registration, and a learner who is assigned again
continues there. Without `assigned`, a line adds a missing enrolment and leaves an unassigned one as it is. Courses and
users must exist.
"""

from typing import BinaryIO

from sqlalchemy.orm import Session

from models.access import Actor, Permission
from models.training import ENDED_AT
from tasks.imports.lines import Errors, Form, read
from tasks.imports.stage import Count, Imported, Stage
from tasks.imports.values import Column, course_code, email, moment, yes_or_no

COLUMNS = {
    "course": Column(course_code, required=True),
    "email": Column(email, required=True),
    "due_at": Column(moment),
    "assigned": Column(yes_or_no),
}

FOUND = """
SELECT l.line, c.id AS course_id, u.id AS user_id, l.course, l.email, l.due_at, l.assigned
FROM import_line l
LEFT JOIN course c ON c.organization_id = :organization AND c.code = l.course
LEFT JOIN "user" u ON u.organization_id = :organization AND lower(u.email) = lower(l.email)
"""
NO_COURSE = (
    "SELECT line, 'course: there is no course ' || course AS wrong FROM import_enrolment WHERE course_id IS NULL"
)
NO_USER = "SELECT line, 'email: there is no user ' || email AS wrong FROM import_enrolment WHERE user_id IS NULL"
TWICE = """
SELECT line, 'email: line ' || first || ' has the same course and user' AS wrong
FROM (SELECT line, min(line) OVER (PARTITION BY course, lower(email)) AS first FROM import_enrolment) same
WHERE line > first
"""

# `clock_timestamp()`: the transaction may have begun before a plan that did not see these rows.
ADD = """
INSERT INTO enrolment (organization_id, user_id, course_id, due_at, assigned_at)
SELECT :organization, f.user_id, f.course_id, f.due_at, clock_timestamp()
FROM import_enrolment f
WHERE f.assigned IS NOT false AND NOT EXISTS (SELECT FROM enrolment e WHERE e.user_id = f.user_id
                                              AND e.course_id = f.course_id AND e.organization_id = :organization)
ORDER BY f.user_id, f.course_id
ON CONFLICT (user_id, organization_id, course_id) DO NOTHING
"""
CHANGE = f"""
WITH differing AS (
    SELECT e.id, coalesce(f.due_at, e.due_at) AS due_at,
           CASE f.assigned WHEN true THEN NULL WHEN false THEN {ENDED_AT}
           ELSE e.unassigned_at END AS unassigned_at,
           CASE WHEN f.assigned AND e.unassigned_at IS NOT NULL THEN clock_timestamp() ELSE e.assigned_at END
           AS assigned_at
    FROM import_enrolment f
    JOIN enrolment e ON e.user_id = f.user_id AND e.course_id = f.course_id AND e.organization_id = :organization
    WHERE coalesce(f.due_at, e.due_at) IS DISTINCT FROM e.due_at OR f.assigned <> (e.unassigned_at IS NULL)
    ORDER BY e.id FOR NO KEY UPDATE OF e
)
UPDATE enrolment e SET due_at = d.due_at, unassigned_at = d.unassigned_at, assigned_at = d.assigned_at
FROM differing d WHERE e.id = d.id
"""


def import_enrolments(session: Session, actor: Actor, file: BinaryIO, form: Form) -> Imported:
    """Assign and unassign courses as the file says. Raises `Forbidden`, `ImportInvalid`."""
    actor.must_have(Permission.COURSES)
    errors = Errors()
    kinds = {"course": "text", "email": "text", "due_at": "timestamptz", "assigned": "boolean"}
    stage = Stage(session, actor, kinds, errors)
    stage.fill((line, *values.values()) for line, values in read(file, form, COLUMNS, errors))
    stage.prepare("import_enrolment", FOUND)
    for query in (NO_COURSE, NO_USER, TWICE):
        stage.check(query)
    stage.refuse_what_is_wrong()
    enrolments = Count(stage.ask("SELECT count(*) FROM import_line"), new=stage.write(ADD), changed=stage.write(CHANGE))
    return stage.done("enrolments", {"enrolments": enrolments})
