"""Courses with their activities: `external_id`, `code`, `title`, `certificates_on`, and the activities.

The `external_id`, the id that the file's platform knows a course by, identifies it for good; a changed code is the same
course. Without one, the code does. In CSV, each line may add one activity, in the columns `activity` (its reference),
`kind` and `activity_title`; lines of the same course must agree. In NDJSON, a line is a course with a list `activities`
of objects with `reference`, `kind` and `title`. Activities keep the file's order. The title of an existing activity can
change; its kind cannot, because records refer to it.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO

from sqlalchemy.orm import Session

from models.access import Actor, Permission
from models.training import ActivityKind
from tasks.imports.contradictions import again, another_value
from tasks.imports.lines import Errors, Form, checked_values, read
from tasks.imports.stage import Count, Imported, Stage
from tasks.imports.values import Column, WrongError, course_code, external_id, one_of, text, yes_or_no

MOST_ACTIVITIES = 2000  # in one line


def _list(value: list[Any]) -> list[Any]:
    if len(value) > MOST_ACTIVITIES:
        raise WrongError(f"must be a list of up to {MOST_ACTIVITIES:,} objects")
    return value


COURSE = {
    "code": Column(course_code, required=True),
    "title": Column(text(300)),
    "certificates_on": Column(yes_or_no),
    "external_id": Column(external_id),
}
CSV_COLUMNS = COURSE | {
    "activity": Column(text(200)),
    "kind": Column(one_of(ActivityKind)),
    "activity_title": Column(text(300)),
}
NDJSON_COLUMNS = COURSE | {"activities": Column(_list, takes=list)}
ACTIVITY = {
    "reference": Column(text(200), required=True),
    "kind": Column(one_of(ActivityKind)),
    "title": Column(text(300)),
}
STAGED = {
    "code": "text",
    "title": "text",
    "certificates_on": "boolean",
    "external_id": "text",
    "reference": "text",
    "kind": "text",
    "activity_title": "text",
    "place": "bigint",
}

FOUND = """
SELECT f.line, coalesce(known.id, adopted.id) AS course_id, f.external_id, f.code, f.title, f.certificates_on
FROM (SELECT code, min(line) AS line, max(external_id) AS external_id, max(title) AS title,
             bool_or(certificates_on) AS certificates_on
      FROM import_line GROUP BY code) f
LEFT JOIN course known ON known.organization_id = :organization AND known.external_id = f.external_id
LEFT JOIN course adopted ON adopted.organization_id = :organization AND adopted.code = f.code
                         AND known.id IS NULL AND (f.external_id IS NULL OR adopted.external_id IS NULL)
"""

IDS_AT_ODDS = another_value("external_id", of="course")
TITLES_AT_ODDS = another_value("title", of="course")
CERTIFICATES_AT_ODDS = another_value("certificates_on", of="course")
TWICE_BY_ID = again("external_id", "one, with another code", "import_course", "external_id")
SAME = again("code", "course, by external_id and by code", "import_course", "course_id")
# Unless that course gets another code by the same file.
TAKEN = """
SELECT f.line, 'code: another course has the code ' || f.code
               || coalesce(', with the external_id ' || other.external_id, '') AS wrong
FROM import_course f
JOIN course other ON other.organization_id = :organization AND other.code = f.code
                  AND other.id IS DISTINCT FROM f.course_id
WHERE NOT EXISTS (SELECT FROM import_course g WHERE g.course_id = other.id AND g.code <> other.code)
"""
UNTITLED = """
SELECT line, 'title: must not be empty for a new course' AS wrong
FROM import_course WHERE course_id IS NULL AND title IS NULL
"""
WITHOUT_REFERENCE = """
SELECT line, 'activity: must not be empty if kind or activity_title is given' AS wrong
FROM import_line WHERE reference IS NULL AND (kind IS NOT NULL OR activity_title IS NOT NULL)
"""
TWICE = """
SELECT line, 'activity: line ' || first || ' has the same reference, ' || reference AS wrong
FROM (SELECT line, place, reference, min(line) OVER same AS first, row_number() OVER (same ORDER BY line, place) AS nth
      FROM import_line WHERE reference IS NOT NULL WINDOW same AS (PARTITION BY code, reference)) same WHERE nth > 1
"""
INCOMPLETE = """
SELECT l.line, 'kind, activity_title: must not be empty for a new activity' AS wrong
FROM import_line l
JOIN import_course c ON c.code = l.code
LEFT JOIN activity a ON a.course_id = c.course_id AND a.reference = l.reference
WHERE l.reference IS NOT NULL AND a.id IS NULL AND (l.kind IS NULL OR l.activity_title IS NULL)
"""
OTHER_KIND = """
SELECT l.line, 'kind: cannot change; ' || l.reference || ' is a ' || a.kind AS wrong
FROM import_line l
JOIN import_course c ON c.code = l.code
JOIN activity a ON a.course_id = c.course_id AND a.reference = l.reference
WHERE l.kind <> a.kind
"""

DIFFERING = """
SELECT c.id, coalesce(f.external_id, c.external_id) AS external_id, f.code, coalesce(f.title, c.title) AS title,
       coalesce(f.certificates_on, c.certificates_on) AS certificates_on
FROM import_course f JOIN course c ON c.id = f.course_id
WHERE (coalesce(f.external_id, c.external_id), f.code, coalesce(f.title, c.title),
       coalesce(f.certificates_on, c.certificates_on))
      IS DISTINCT FROM (c.external_id, c.code, c.title, c.certificates_on)
ORDER BY c.id FOR NO KEY UPDATE OF c
"""
# Codes that others get: the index sees one row after the other, and two courses may swap theirs.
PARK = """
UPDATE course c SET code = 'moving-' || c.id
FROM import_differing d
WHERE d.id = c.id AND d.code <> c.code
  AND EXISTS (SELECT FROM import_course f WHERE f.code = c.code AND f.course_id IS DISTINCT FROM c.id)
"""
# The code only where it changes: it is a key, and other rows that refer to the course would be waited for.
CHANGE_CODES = "UPDATE course c SET code = d.code FROM import_differing d WHERE c.id = d.id AND c.code <> d.code"
CHANGE_COURSES = """
UPDATE course c SET external_id = d.external_id, title = d.title, certificates_on = d.certificates_on
FROM import_differing d WHERE c.id = d.id
"""
NEW = "SELECT count(*) FROM import_course WHERE course_id IS NULL"
ADD_COURSES = """
INSERT INTO course (organization_id, external_id, code, title, certificates_on)
SELECT :organization, external_id, code, title, coalesce(certificates_on, false)
FROM import_course WHERE course_id IS NULL
ORDER BY code
ON CONFLICT DO NOTHING
"""
ADD_ACTIVITIES = """
INSERT INTO activity (course_id, kind, reference, title)
SELECT c.id, l.kind, l.reference, l.activity_title
FROM import_line l JOIN course c ON c.organization_id = :organization AND c.code = l.code
WHERE l.reference IS NOT NULL AND l.kind IS NOT NULL AND l.activity_title IS NOT NULL
  AND NOT EXISTS (SELECT FROM activity a WHERE a.course_id = c.id AND a.reference = l.reference)
ORDER BY c.id, l.line, l.place
ON CONFLICT (course_id, reference) DO NOTHING
"""
CHANGE_ACTIVITIES = """
WITH differing AS (
    SELECT a.id, l.activity_title
    FROM import_line l
    JOIN course c ON c.organization_id = :organization AND c.code = l.code
    JOIN activity a ON a.course_id = c.id AND a.reference = l.reference
    WHERE l.activity_title <> a.title
    ORDER BY a.id FOR NO KEY UPDATE OF a
)
UPDATE activity a SET title = d.activity_title FROM differing d WHERE a.id = d.id
"""


def import_courses(session: Session, actor: Actor, file: BinaryIO, form: Form) -> Imported:
    """Add the courses and activities in the file, and change existing ones.

    Raises `Forbidden`, `ImportInvalid`, `ImportCrossed`.
    """
    actor.must_have(Permission.COURSES)
    errors = Errors()
    stage = Stage(session, actor, STAGED, errors)
    stage.fill(_rows_of_csv(file, errors) if form == Form.CSV else _rows_of_ndjson(file, errors))
    return write_courses(stage)


def write_courses(stage: Stage) -> Imported:
    """Check the staged lines, and write them. Raises `ImportInvalid`, `ImportCrossed`."""
    stage.wait_for_others()
    stage.prepare("import_course", FOUND)
    for query in (IDS_AT_ODDS, TITLES_AT_ODDS, CERTIFICATES_AT_ODDS, TWICE_BY_ID, UNTITLED, WITHOUT_REFERENCE, TWICE,
                  INCOMPLETE, OTHER_KIND):  # fmt: skip
        stage.check(query)
    stage.check_next(SAME)
    stage.check_next(TAKEN)
    stage.refuse_what_is_wrong()
    if changed := stage.prepare("import_differing", DIFFERING):
        stage.write(PARK)
        stage.write(CHANGE_CODES)
        stage.write(CHANGE_COURSES)
    new = stage.add(ADD_COURSES, expected) if (expected := stage.ask(NEW)) else 0
    courses = Count(stage.ask("SELECT count(*) FROM import_course"), new=new, changed=changed)
    activities = Count(
        stage.ask("SELECT count(reference) FROM import_line"),
        new=stage.write(ADD_ACTIVITIES),
        changed=stage.write(CHANGE_ACTIVITIES),
    )
    return stage.done("courses", {"courses": courses, "activities": activities})


def _rows_of_csv(file: BinaryIO, errors: Errors) -> Iterator[tuple[Any, ...]]:
    for line, values in read(file, Form.CSV, CSV_COLUMNS, errors):
        yield line, *values.values(), 0


def _rows_of_ndjson(file: BinaryIO, errors: Errors) -> Iterator[tuple[Any, ...]]:
    for line, course in read(file, Form.NDJSON, NDJSON_COLUMNS, errors):
        own = (line, *(course[name] for name in COURSE))
        activities = course["activities"] or []
        if not activities:
            yield *own, None, None, None, 0
        for place, activity in enumerate(activities, 1):
            within = f"activities, {place}: "
            if not isinstance(activity, dict):
                errors.add(line, f"{within}must be an object with the keys {', '.join(ACTIVITY)}")
            elif (checked := checked_values(line, activity, ACTIVITY, errors, within)) is not None:
                yield *own, checked["reference"], checked["kind"], checked["title"], place
