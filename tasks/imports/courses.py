"""Courses with their activities: `code`, `title`, `certificates_on`, and the activities.

In CSV, each line may add one activity, in the columns `activity` (its reference), `kind` and `activity_title`; lines of
the same course must agree. In NDJSON, a line is a course with a list `activities` of objects with `reference`, `kind`
and `title`. Activities keep the file's order. The title of an existing activity can change; its kind cannot, because
records refer to it.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO

from sqlalchemy.orm import Session

from models.access import Actor, Permission
from models.training import ActivityKind
from tasks.imports.lines import Errors, Form, checked_values, read
from tasks.imports.stage import Count, Imported, Stage
from tasks.imports.values import Column, WrongError, course_code, one_of, text, yes_or_no

MOST_ACTIVITIES = 2000  # in one line


def _list(value: list[Any]) -> list[Any]:
    if len(value) > MOST_ACTIVITIES:
        raise WrongError(f"must be a list of up to {MOST_ACTIVITIES:,} objects")
    return value


COURSE = {"code": Column(course_code, required=True), "title": Column(text(300)), "certificates_on": Column(yes_or_no)}
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
    "reference": "text",
    "kind": "text",
    "activity_title": "text",
    "place": "bigint",
}

COURSES = """(SELECT code, min(line) AS line, max(title) AS title, bool_or(certificates_on) AS certificates_on
              FROM import_line GROUP BY code)"""

AT_ODDS = """
SELECT DISTINCT l.line, '{column}: line ' || first.line || ' has another value for course ' || code AS wrong
FROM import_line l
JOIN (SELECT DISTINCT ON (code) code, line, {column} FROM import_line
      WHERE {column} IS NOT NULL ORDER BY code, line) first USING (code)
WHERE l.{column} <> first.{column}
"""
TITLES_AT_ODDS = AT_ODDS.format(column="title")
CERTIFICATES_AT_ODDS = AT_ODDS.format(column="certificates_on")
UNTITLED = f"""
SELECT f.line, 'title: must not be empty for a new course' AS wrong
FROM {COURSES} f LEFT JOIN course c ON c.organization_id = :organization AND c.code = f.code
WHERE c.id IS NULL AND f.title IS NULL
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
LEFT JOIN course c ON c.organization_id = :organization AND c.code = l.code
LEFT JOIN activity a ON a.course_id = c.id AND a.reference = l.reference
WHERE l.reference IS NOT NULL AND a.id IS NULL AND (l.kind IS NULL OR l.activity_title IS NULL)
"""
OTHER_KIND = """
SELECT l.line, 'kind: cannot change; ' || l.reference || ' is a ' || a.kind AS wrong
FROM import_line l
JOIN course c ON c.organization_id = :organization AND c.code = l.code
JOIN activity a ON a.course_id = c.id AND a.reference = l.reference
WHERE l.kind <> a.kind
"""

ADD_COURSES = f"""
INSERT INTO course (organization_id, code, title, certificates_on)
SELECT :organization, code, title, coalesce(certificates_on, false) FROM {COURSES} f
WHERE title IS NOT NULL
  AND NOT EXISTS (SELECT FROM course c WHERE c.organization_id = :organization AND c.code = f.code)
ORDER BY code
ON CONFLICT (organization_id, code) DO NOTHING
"""
CHANGE_COURSES = f"""
WITH differing AS (
    SELECT c.id, coalesce(f.title, c.title) AS title, coalesce(f.certificates_on, c.certificates_on) AS certificates_on
    FROM course c JOIN {COURSES} f ON c.organization_id = :organization AND c.code = f.code
    WHERE (coalesce(f.title, c.title), coalesce(f.certificates_on, c.certificates_on))
          IS DISTINCT FROM (c.title, c.certificates_on)
    ORDER BY c.id FOR NO KEY UPDATE OF c
)
UPDATE course c SET title = d.title, certificates_on = d.certificates_on FROM differing d WHERE c.id = d.id
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

    Raises `Forbidden`, `ImportInvalid`.
    """
    actor.must_have(Permission.COURSES)
    errors = Errors()
    stage = Stage(session, actor, STAGED, errors)
    stage.fill(_rows_of_csv(file, errors) if form == Form.CSV else _rows_of_ndjson(file, errors))
    for query in (TITLES_AT_ODDS, CERTIFICATES_AT_ODDS, UNTITLED, WITHOUT_REFERENCE, TWICE, INCOMPLETE, OTHER_KIND):
        stage.check(query)
    stage.refuse_what_is_wrong()
    courses = Count(
        stage.ask("SELECT count(DISTINCT code) FROM import_line"),
        new=stage.write(ADD_COURSES),
        changed=stage.write(CHANGE_COURSES),
    )
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
        own = (line, course["code"], course["title"], course["certificates_on"])
        activities = course["activities"] or []
        if not activities:
            yield *own, None, None, None, 0
        for place, activity in enumerate(activities, 1):
            within = f"activities, {place}: "
            if not isinstance(activity, dict):
                errors.add(line, f"{within}must be an object with the keys {', '.join(ACTIVITY)}")
            elif (checked := checked_values(line, activity, ACTIVITY, errors, within)) is not None:
                yield *own, checked["reference"], checked["kind"], checked["title"], place
