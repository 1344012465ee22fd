"""Write courses, users, activities, enrolments and records from the temporary tables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from sqlalchemy import CursorResult, text
from sqlalchemy.orm import Session


@dataclass(frozen=True)
class Count:
    """How many rows the files hold, and how many of them the import added."""

    in_files: int
    new: int


@dataclass(frozen=True)
class ImportReport:
    """What an import found and added."""

    courses: Count
    users: Count
    activities: Count
    enrolments: Count
    records: Mapping[str, Count]  # by record kind
    left_out: Mapping[str, int]  # records by reason; together with the new ones, all records in the files


IN_FILES = """
SELECT (SELECT count(*) FROM oulad_course) AS courses,
       (SELECT count(DISTINCT id_student) FROM oulad_student) AS users,
       (SELECT count(*) FROM oulad_assessment) + (SELECT count(*) FROM oulad_site) AS activities,
       (SELECT count(*) FROM oulad_student) AS enrolments,
       (SELECT count(*) FROM oulad_student WHERE final_result IN ('Pass', 'Distinction')) AS completions,
       (SELECT count(*) FROM oulad_submission JOIN oulad_assessment USING (id_assessment)
        WHERE assessment_type = 'TMA') AS assignment_submissions,
       (SELECT count(*) FROM oulad_submission JOIN oulad_assessment USING (id_assessment)
        WHERE assessment_type <> 'TMA') AS practical_assessments
"""

ADD_COURSES = """
INSERT INTO course (organization_id, code, title, certificates_on)
SELECT :organization, code_module || '-' || code_presentation,
       code_module || ', presentation ' || code_presentation, true
FROM oulad_course ORDER BY line
ON CONFLICT (organization_id, code) DO NOTHING
"""

# Days are added as 24 hours, here and below, so that the session's time zone does not matter.
PRESENTATIONS = """
CREATE TEMPORARY TABLE oulad_presentation AS
SELECT o.code_module, o.code_presentation, c.id AS course_id, starts_at,
       starts_at + o.module_presentation_length * interval '24 hours' AS ends_at
FROM oulad_course o
JOIN course c ON c.organization_id = :organization AND c.code = o.code_module || '-' || o.code_presentation
CROSS JOIN LATERAL make_timestamptz(left(o.code_presentation, 4)::integer,
                                    CASE right(o.code_presentation, 1) WHEN 'B' THEN 2 ELSE 10 END,
                                    1, 0, 0, 0, 'UTC') AS starts_at
"""

ADD_USERS = """
INSERT INTO "user" (organization_id, email, name)
SELECT :organization, 'student-' || id_student || '@oulad.example', 'Student ' || id_student
FROM (SELECT DISTINCT id_student FROM oulad_student) s ORDER BY id_student
ON CONFLICT (organization_id, lower(email)) DO NOTHING
"""

LEARNERS = """
CREATE TEMPORARY TABLE oulad_learner AS
SELECT s.id_student, u.id AS user_id FROM (SELECT DISTINCT id_student FROM oulad_student) s
JOIN "user" u ON u.organization_id = :organization
             AND lower(u.email) = 'student-' || s.id_student || '@oulad.example'
"""

ADD_ACTIVITIES = """
INSERT INTO activity (course_id, kind, reference, title)
SELECT p.course_id, a.kind, a.reference, a.title
FROM (SELECT code_module, code_presentation, 1 AS place, line,
             CASE assessment_type WHEN 'TMA' THEN 'assignment' ELSE 'practical_assessment' END AS kind,
             'assessment-' || id_assessment AS reference, assessment_type || ' ' || id_assessment AS title
      FROM oulad_assessment
      UNION ALL
      SELECT code_module, code_presentation, 2, line,
             CASE activity_type WHEN 'forumng' THEN 'discussion' ELSE 'lesson' END,
             'site-' || id_site, activity_type || ' ' || id_site
      FROM oulad_site) a
JOIN oulad_presentation p USING (code_module, code_presentation)
ORDER BY p.course_id, a.place, a.line
ON CONFLICT (course_id, reference) DO NOTHING
"""

ENROLLED = """
CREATE TEMPORARY TABLE oulad_enrolled (
    registration uuid, id_student bigint, course_id bigint, completed_at timestamptz
)
"""

# In the order of registration, so that the rows of a course are scattered as in a real database.
ADD_ENROLMENTS = """
WITH handed_in AS (
    SELECT code_module, code_presentation, id_student, count(*) AS assessments
    FROM oulad_submission JOIN oulad_assessment USING (id_assessment)
    GROUP BY code_module, code_presentation, id_student
), size AS (
    SELECT course_id, count(*) AS activities
    FROM activity JOIN oulad_presentation USING (course_id) GROUP BY course_id
), new AS (
    INSERT INTO enrolment (organization_id, user_id, course_id, state, progress,
                           assigned_at, unassigned_at, completed_at)
    SELECT :organization, l.user_id, p.course_id, is_now.state,
           CASE is_now.state WHEN 'completed' THEN 100
                             WHEN 'in_progress' THEN least(99, 100 * h.assessments / size.activities)
                             ELSE 0 END,
           p.starts_at + coalesce(r.date_registration, 0) * interval '24 hours' AS assigned_at,
           CASE WHEN s.final_result = 'Withdrawn'
                THEN coalesce(p.starts_at + r.date_unregistration * interval '24 hours', p.ends_at) END,
           CASE is_now.state WHEN 'completed' THEN p.ends_at END
    FROM oulad_student s
    JOIN oulad_registration r USING (code_module, code_presentation, id_student)
    JOIN oulad_presentation p USING (code_module, code_presentation)
    JOIN oulad_learner l USING (id_student)
    LEFT JOIN handed_in h USING (code_module, code_presentation, id_student)
    LEFT JOIN size USING (course_id)
    CROSS JOIN LATERAL (
        SELECT CASE WHEN s.final_result IN ('Pass', 'Distinction') THEN 'completed'
                    WHEN s.final_result = 'Fail' AND h.assessments > 0 THEN 'in_progress'
                    ELSE 'assigned' END AS state
    ) is_now
    ORDER BY assigned_at, p.course_id, id_student
    ON CONFLICT (user_id, organization_id, course_id) DO NOTHING
    RETURNING registration, user_id, course_id, completed_at
)
INSERT INTO oulad_enrolled
SELECT registration, id_student, course_id, completed_at FROM new JOIN oulad_learner USING (user_id)
"""

# Every submission with its registration: NULL if its enrolment existed before this import.
HANDED_IN = """
CREATE TEMPORARY TABLE oulad_handed_in AS
SELECT e.registration, a.id AS activity_id, t.assessment_type, nullif(h.score, '')::numeric AS score,
       p.starts_at + h.date_submitted * interval '24 hours' AS handed_in_at, s.final_result = 'Withdrawn' AS withdrawn
FROM oulad_submission h
JOIN oulad_assessment t USING (id_assessment)
JOIN oulad_student s USING (code_module, code_presentation, id_student)
JOIN oulad_presentation p USING (code_module, code_presentation)
JOIN activity a ON a.course_id = p.course_id AND a.reference = 'assessment-' || h.id_assessment
LEFT JOIN oulad_enrolled e ON e.id_student = h.id_student AND e.course_id = p.course_id
"""

ADD_ASSIGNMENT_SUBMISSIONS = """
INSERT INTO assignment_submission (registration, activity_id, score, submitted_at)
SELECT registration, activity_id, score, handed_in_at FROM oulad_handed_in
WHERE assessment_type = 'TMA' AND registration IS NOT NULL AND NOT withdrawn
ORDER BY handed_in_at, registration, activity_id
"""

ADD_PRACTICAL_ASSESSMENTS = """
INSERT INTO practical_assessment (registration, activity_id, score, assessed_at)
SELECT registration, activity_id, score, handed_in_at FROM oulad_handed_in
WHERE assessment_type <> 'TMA' AND registration IS NOT NULL AND NOT withdrawn
ORDER BY handed_in_at, registration, activity_id
"""

ADD_COMPLETIONS = """
INSERT INTO completion (registration, completed_at)
SELECT registration, completed_at FROM oulad_enrolled
WHERE completed_at IS NOT NULL ORDER BY completed_at, registration
"""

# A version 4 UUID has 122 random bits, so serials cannot be guessed.
ADD_CERTIFICATES = """
INSERT INTO certificate (registration, serial, issued_at)
SELECT e.registration, upper(replace(gen_random_uuid()::text, '-', '')), e.completed_at
FROM oulad_enrolled e JOIN course c ON c.id = e.course_id
WHERE e.completed_at IS NOT NULL AND c.certificates_on ORDER BY e.completed_at, e.registration
"""

LEFT_OUT = """
SELECT count(*) FILTER (WHERE withdrawn) AS withdrawn,
       count(*) FILTER (WHERE NOT withdrawn AND registration IS NULL) AS known
FROM oulad_handed_in
"""


def write_everything(session: Session, organization_id: int, progress: Callable[[str], None]) -> ImportReport:
    """Add what the organization lacks. Returns what was found and added."""

    def run(statement: str) -> int:
        result = session.execute(text(statement), {"organization": organization_id})
        return cast("CursorResult[tuple[()]]", result).rowcount

    def prepare(table: str, statement: str) -> None:
        run(statement)
        run(f"ANALYZE {table}")

    found = session.execute(text(IN_FILES)).one()

    progress("Writing courses, users and activities")
    courses = Count(found.courses, run(ADD_COURSES))
    prepare("oulad_presentation", PRESENTATIONS)
    users = Count(found.users, run(ADD_USERS))
    prepare("oulad_learner", LEARNERS)
    activities = Count(found.activities, run(ADD_ACTIVITIES))

    progress("Writing enrolments")
    run(ENROLLED)
    enrolments = Count(found.enrolments, run(ADD_ENROLMENTS))
    run("ANALYZE oulad_enrolled")

    progress("Writing records")
    prepare("oulad_handed_in", HANDED_IN)
    records = {
        "assignment_submission": Count(found.assignment_submissions, run(ADD_ASSIGNMENT_SUBMISSIONS)),
        "practical_assessment": Count(found.practical_assessments, run(ADD_PRACTICAL_ASSESSMENTS)),
        "completion": Count(found.completions, run(ADD_COMPLETIONS)),
        "certificate": Count(found.completions, run(ADD_CERTIFICATES)),
    }
    report = ImportReport(courses, users, activities, enrolments, records, _left_out(session, records))
    run("DROP TABLE oulad_presentation, oulad_learner, oulad_enrolled, oulad_handed_in")
    return report


def _left_out(session: Session, records: Mapping[str, Count]) -> dict[str, int]:
    submissions = session.execute(text(LEFT_OUT)).one()
    completion, certificate = records["completion"], records["certificate"]
    known_completions = completion.in_files - completion.new
    reasons = {
        "the student withdrew": submissions.withdrawn,
        # Each completion left out leaves out its certificate too.
        "the enrolment existed before": submissions.known + 2 * known_completions,
        "the course has certificates off": completion.new - certificate.new,
    }
    return {reason: count for reason, count in reasons.items() if count}
