"""The Open University Learning Analytics Dataset: seven real modules, without the log of clicks.

    courses.csv                presentation            course, certificates on
    studentInfo.csv            student                 user; one row per student and presentation is an enrolment
    assessments.csv            TMA                     assignment
                               CMA, Exam               practical assessment
    vle.csv                    forumng                 discussion
                               anything else           lesson
    studentAssessment.csv      submission              assignment submission or practical assessment
    final_result               Pass, Distinction       completed, with completion and certificate at the end
                               Fail                    in progress, or assigned if nothing was handed in
                               Withdrawn               not assigned any more, and without records

Days count from the start of a presentation: 1 February (B) or 1 October (J) of its year. Importing again adds what is
missing and touches nothing else. Records come only with an enrolment that the same import makes: brought to one that
was there before, they could be the past that a reset has removed.

PostgreSQL reads and checks the files: COPY streams them into temporary tables whose columns are domains, so its errors
name line and column, and nothing is written before every file has been checked.
"""

import codecs
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import psycopg
from psycopg import errors
from sqlalchemy import CursorResult, select, text
from sqlalchemy.orm import Session

from models.access import console_account
from models.people import Organization
from models.refusals.base import Refused
from tasks.people.organizations import FirstAdmin, add_organization


class MalformedFile(Refused):
    """A file is not as published. The message names file, line and column as far as they are known."""

    code = "malformed-file"

    def __init__(self, file: str, problem: str, line: int | None = None, column: str | None = None) -> None:
        self.file, self.line, self.column = file, line, column
        place = file + (f", line {line}" if line else "") + (f", column {column}" if column else "")
        super().__init__(f"{place}: {problem}. Nothing was imported. Correct the file and try again.")


@dataclass(frozen=True)
class Count:
    """How many the files hold, and how many of them the import added."""

    in_files: int
    new: int


@dataclass(frozen=True)
class ImportReport:
    """What an import found and what it did."""

    courses: Count
    users: Count
    activities: Count
    enrolments: Count
    records: Mapping[str, Count]  # by record kind
    left_out: Mapping[str, int]  # records by the reason; with the new ones they make up those in the files


@dataclass(frozen=True)
class _File:
    name: str
    table: str
    columns: Mapping[str, str]  # name and domain, in the order of the header
    key: tuple[str, ...]


# What a column may hold, and how a message says it. `?` means none; PostgreSQL refuses it where a domain is NOT NULL.
DOMAINS = {
    "oulad_module": ("text NOT NULL CHECK (value ~ '^[A-Za-z0-9]+$')", "a module code of letters and digits"),
    "oulad_half_year": (
        "text NOT NULL CHECK (value ~ '^20[0-9]{2}[BJ]$')",
        "a year from 2000 to 2099 with B or J, such as 2014J",
    ),
    "oulad_id": ("bigint NOT NULL CHECK (value >= 0)", "a whole number"),
    "oulad_length": ("integer NOT NULL CHECK (value BETWEEN 1 AND 1000)", "a number of days from 1 to 1000"),
    "oulad_day": ("integer NOT NULL CHECK (value BETWEEN -9999 AND 9999)", "a day from -9999 to 9999"),
    "oulad_day_or_none": ("integer CHECK (value BETWEEN -9999 AND 9999)", "a day from -9999 to 9999, or ?"),
    "oulad_yes_no": ("smallint NOT NULL CHECK (value IN (0, 1))", "0 or 1"),
    "oulad_assessment_type": ("text NOT NULL CHECK (value IN ('TMA', 'CMA', 'Exam'))", "TMA, CMA or Exam"),
    "oulad_activity_type": ("text NOT NULL CHECK (value ~ '^[A-Za-z0-9_]+$')", "a type of letters and digits"),
    "oulad_result": (
        "text NOT NULL CHECK (value IN ('Pass', 'Distinction', 'Fail', 'Withdrawn'))",
        "Pass, Distinction, Fail or Withdrawn",
    ),
    # Text, since none is also written as nothing, which is no number. The CASE keeps the cast from words.
    "oulad_score": (
        "text CHECK (CASE WHEN value ~ '^[0-9]{1,3}([.][0-9]+)?$' THEN value::numeric <= 100 ELSE value = '' END)",
        "a number from 0 to 100",
    ),
    # Not read. A row has to be one line of its file all the same, or counted rows would not be line numbers.
    "oulad_unread": (r"text CHECK (value !~ '[\r\n]')", "text within one line"),
}

PRESENTATION_COLUMNS = {"code_module": "oulad_module", "code_presentation": "oulad_half_year"}

COURSES = _File(
    "courses.csv",
    "oulad_course",
    {**PRESENTATION_COLUMNS, "module_presentation_length": "oulad_length"},
    key=("code_module", "code_presentation"),
)
ASSESSMENTS = _File(
    "assessments.csv",
    "oulad_assessment",
    {
        **PRESENTATION_COLUMNS,
        "id_assessment": "oulad_id",
        "assessment_type": "oulad_assessment_type",
        "date": "oulad_unread",
        "weight": "oulad_unread",
    },
    key=("id_assessment",),
)
SITES = _File(
    "vle.csv",
    "oulad_site",
    {
        "id_site": "oulad_id",
        **PRESENTATION_COLUMNS,
        "activity_type": "oulad_activity_type",
        "week_from": "oulad_unread",
        "week_to": "oulad_unread",
    },
    key=("id_site",),
)
STUDENTS = _File(
    "studentInfo.csv",
    "oulad_student",
    {
        **PRESENTATION_COLUMNS,
        "id_student": "oulad_id",
        "gender": "oulad_unread",
        "region": "oulad_unread",
        "highest_education": "oulad_unread",
        "imd_band": "oulad_unread",
        "age_band": "oulad_unread",
        "num_of_prev_attempts": "oulad_unread",
        "studied_credits": "oulad_unread",
        "disability": "oulad_unread",
        "final_result": "oulad_result",
    },
    key=("code_module", "code_presentation", "id_student"),
)
REGISTRATIONS = _File(
    "studentRegistration.csv",
    "oulad_registration",
    {
        **PRESENTATION_COLUMNS,
        "id_student": "oulad_id",
        "date_registration": "oulad_day_or_none",
        "date_unregistration": "oulad_day_or_none",
    },
    key=("code_module", "code_presentation", "id_student"),
)
SUBMISSIONS = _File(
    "studentAssessment.csv",
    "oulad_submission",
    {
        "id_assessment": "oulad_id",
        "id_student": "oulad_id",
        "date_submitted": "oulad_day",
        "is_banked": "oulad_yes_no",
        "score": "oulad_score",
    },
    key=("id_assessment", "id_student"),
)
FILES = (COURSES, ASSESSMENTS, SITES, STUDENTS, REGISTRATIONS, SUBMISSIONS)

# Each row of the first file needs a row of the last with the same key; else the column in the middle is wrong.
REFERENCES = (
    (ASSESSMENTS, "code_presentation", COURSES),
    (SITES, "code_presentation", COURSES),
    (STUDENTS, "code_presentation", COURSES),
    (STUDENTS, "id_student", REGISTRATIONS),
    (REGISTRATIONS, "id_student", STUDENTS),
    (SUBMISSIONS, "id_assessment", ASSESSMENTS),
)

SUBMITTED_BY_A_STRANGER = """
SELECT s.line, s.id_student || ' is not a student of ' || a.code_module || '-' || a.code_presentation
               || ', to which assessment ' || s.id_assessment || ' belongs'
FROM oulad_submission s JOIN oulad_assessment a USING (id_assessment)
WHERE NOT EXISTS (SELECT FROM oulad_student i WHERE i.id_student = s.id_student
                  AND i.code_module = a.code_module AND i.code_presentation = a.code_presentation)
ORDER BY s.line LIMIT 1
"""

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

# Days are added as 24 hours, here and below: in UTC that is midnight, and it does not hang on the session's time zone.
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

# Rows come in the order of registering, so those of one course do not lie next to each other: as in life.
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

# Every submission with where it goes: to no registration, if its enrolment was there before this import.
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

# A version 4 UUID has 122 random bits from the system's generator: nobody guesses another one's serial.
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

BLOCK = 256 * 1024


def import_oulad(
    session: Session,
    folder: Path,
    organization_slug: str = "oulad",
    progress: Callable[[str], None] = lambda _: None,
) -> ImportReport:
    """Import the dataset's files in `folder` within the session's transaction. `progress` is told each step.

    Raises `MalformedFile`; then the session is as it was before.
    """
    with session.begin_nested():
        _read(session, folder, progress)
        progress("Checking the files against each other")
        _cross_check(session)
        report = _write(session, _organization(session, organization_slug), progress)
        _clean_up(session)
    return report


def _read(session: Session, folder: Path, progress: Callable[[str], None]) -> None:
    for name, (definition, _) in DOMAINS.items():
        session.execute(text(f"CREATE DOMAIN pg_temp.{name} AS {definition}"))
    for file in FILES:
        progress(f"Reading {file.name}")
        columns = ", ".join(f"{column} pg_temp.{domain}" for column, domain in file.columns.items())
        session.execute(
            text(
                # COPY takes the rows in their order, so a row's number is its line: the header has line 1.
                f"CREATE TEMPORARY TABLE {file.table} (line bigint GENERATED ALWAYS AS IDENTITY (START WITH 2), "
                f"{columns}, PRIMARY KEY ({', '.join(file.key)}))"
            )
        )
        _copy(session, file, folder / file.name)
        session.execute(text(f"ANALYZE {file.table}"))


def _copy(session: Session, file: _File, path: Path) -> None:
    connection = session.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    statement = (
        f"COPY {file.table} ({', '.join(file.columns)}) FROM STDIN "
        "(FORMAT csv, HEADER match, NULL '?', FORCE_NULL *, ENCODING 'UTF8')"
    )
    try:
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for block in _blocks(path):
                copy.write(block)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise _malformed(file, error) from error


def _blocks(path: Path) -> Iterator[bytes]:
    """The file in blocks, so that its size does not matter. Raises `MalformedFile`."""
    try:
        with path.open("rb") as file:
            block = file.read(BLOCK).removeprefix(codecs.BOM_UTF8)  # spreadsheets begin a file with it
            if not block:
                raise MalformedFile(path.name, "the file is empty")
            while block:
                yield block
                block = file.read(BLOCK)
    except FileNotFoundError:
        raise MalformedFile(path.name, f"there is no such file in {path.parent}") from None
    except OSError as error:
        raise MalformedFile(path.name, f"the file cannot be read ({error.strerror})") from error


# As in `COPY oulad_submission, line 123, column score: "abc"`; a server may also say it in another language.
CONTEXT = re.compile(r"COPY \w+\D+(?P<line>\d+)(?:, \w+ (?P<column>\w+): .(?P<value>.*).)?", re.DOTALL)


def _malformed(file: _File, error: psycopg.Error) -> MalformedFile:
    """What COPY refused, in the words of the file."""
    said = error.diag.message_primary or str(error)
    place = CONTEXT.match(error.diag.context or "")
    if place is None:
        return MalformedFile(file.name, said)

    line, column = int(place["line"]), place["column"]
    if column:
        value = "?" if isinstance(error, errors.NotNullViolation) else place["value"]
        must_be = DOMAINS[file.columns[column]][1]
        return MalformedFile(file.name, f"{json.dumps(value, ensure_ascii=False)} is not {must_be}", line, column)
    if isinstance(error, errors.UniqueViolation):
        key = " and ".join(file.key)
        return MalformedFile(file.name, f"an earlier line has the same {key}", line, file.key[-1])
    if isinstance(error, errors.CharacterNotInRepertoire):
        return MalformedFile(file.name, "the text is not UTF-8", line)
    if line == 1:
        return MalformedFile(file.name, f"the header is not {','.join(file.columns)}", line)
    if missing := re.search(r'missing data for column "(\w+)"', said):
        return MalformedFile(file.name, "the line ends before this column", line, missing[1])
    if "extra data" in said:
        return MalformedFile(file.name, f"the line has more than {len(file.columns)} columns", line)
    if "unterminated" in said:
        return MalformedFile(file.name, "the file ends within a quoted value, begun here or in a line before", line)
    return MalformedFile(file.name, said, line)


def _cross_check(session: Session) -> None:
    for file, column, target in REFERENCES:
        key = ", ".join(target.key)
        query = f"""
            SELECT line, concat_ws('-', {key}) || ' is not in {target.name}' FROM {file.table}
            LEFT JOIN (SELECT {key}, true AS known FROM {target.table}) target USING ({key})
            WHERE known IS NULL ORDER BY line LIMIT 1
        """
        _refuse_first(session, file, column, query)
    _refuse_first(session, SUBMISSIONS, "id_student", SUBMITTED_BY_A_STRANGER)


def _refuse_first(session: Session, file: _File, column: str, query: str) -> None:
    if wrong := session.execute(text(query)).first():
        raise MalformedFile(file.name, wrong[1], wrong[0], column)


def _organization(session: Session, slug: str) -> Organization:
    organization = session.scalar(select(Organization).where(Organization.slug == slug))
    if organization is None:
        admin = FirstAdmin(f"admin@{slug}.example", "Alex Admin")
        user = add_organization(session, console_account(), slug, "Open University", admin)
        organization = session.get_one(Organization, user.organization_id)
    return organization


def _write(session: Session, organization: Organization, progress: Callable[[str], None]) -> ImportReport:
    def run(statement: str) -> int:
        result = session.execute(text(statement), {"organization": organization.id})
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
    return ImportReport(courses, users, activities, enrolments, records, _left_out(session, records))


def _left_out(session: Session, records: Mapping[str, Count]) -> dict[str, int]:
    submissions = session.execute(text(LEFT_OUT)).one()
    completion, certificate = records["completion"], records["certificate"]
    known_completions = completion.in_files - completion.new
    reasons = {
        "the student withdrew": submissions.withdrawn,
        # A completion would have come with its certificate.
        "the enrolment was here before": submissions.known + 2 * known_completions,
        "the course has certificates off": completion.new - certificate.new,
    }
    return {reason: count for reason, count in reasons.items() if count}


def _clean_up(session: Session) -> None:
    """Drop what was temporary: it would last as long as the connection, which others use after us."""
    tables = ["oulad_presentation", "oulad_learner", "oulad_enrolled", "oulad_handed_in"]
    session.execute(text(f"DROP TABLE {', '.join([*tables, *(file.table for file in FILES)])}"))
    session.execute(text(f"DROP DOMAIN {', '.join(DOMAINS)}"))
