"""From the temporary tables of the archive into the stages of users, courses and enrolments.

Column names are those of OneRoster, in lower case.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.orm import Session

from models.access import Actor
from tasks.imports import courses, enrolments, users
from tasks.imports.contradictions import again
from tasks.imports.history import write_enrolments
from tasks.imports.lines import Errors
from tasks.imports.oneroster.archive import CLASSES, COURSES, ENROLLMENTS, FILES, RESULTS, USERS, File, Mode
from tasks.imports.stage import Count, Full, Imported, Stage


class Each(StrEnum):
    """What becomes a course."""

    CLASS = "class"
    COURSE = "course"  # with the students of all its classes; a delta must name the classes of its enrollments


# A user who is deleted there and unknown here is no news.
USER_LINES = r"""
SELECT line, sourcedid,
       coalesce(o.email, CASE WHEN username ~ '^[^\s@]+@[^\s@]+$' THEN username END),
       nullif(concat_ws(' ', givenname, familyname), ''),
       status IS DISTINCT FROM 'tobedeleted' AND enableduser IS NOT false, NULL::boolean, NULL, NULL
FROM oneroster_user o
WHERE status IS DISTINCT FROM 'tobedeleted'
   OR EXISTS (SELECT FROM "user" u WHERE u.organization_id = :organization
              AND (u.external_id = o.sourcedid OR (lower(u.email) = lower(o.email) AND u.external_id IS NULL)))
"""

# The code of a known course stays: people type it to confirm a reset.
COURSE_LINES = r"""
SELECT w.line,
       CASE WHEN known.id IS NOT NULL THEN known.code
            WHEN w.code ~ '^[A-Za-z0-9._-]{1,64}$' AND count(*) OVER (PARTITION BY w.code) = 1
                 AND NOT EXISTS (SELECT FROM course c WHERE c.organization_id = :organization AND c.code = w.code
                                 AND c.external_id IS NOT NULL) THEN w.code
            WHEN w.sourcedid ~ '^[A-Za-z0-9._-]{1,64}$' THEN w.sourcedid
            ELSE 'oneroster-' || left(md5(w.sourcedid), 20) END,
       CASE WHEN known.id IS NULL THEN coalesce(w.title, w.sourcedid) ELSE w.title END, NULL::boolean,
       w.sourcedid, NULL, NULL, NULL, 0
FROM (%s) w
LEFT JOIN course known ON known.organization_id = :organization AND known.external_id = w.sourcedid
"""
WANTED = {
    Each.CLASS: """
        SELECT c.line, c.sourcedid, coalesce(c.title, k.title) AS title, coalesce(c.classcode, k.coursecode) AS code
        FROM oneroster_class c LEFT JOIN oneroster_course k ON k.sourcedid = c.coursesourcedid
        WHERE c.status IS DISTINCT FROM 'tobedeleted'""",
    Each.COURSE: """
        SELECT line, sourcedid, title, coursecode AS code
        FROM oneroster_course WHERE status IS DISTINCT FROM 'tobedeleted'""",
}

# By class, or by the course of the class.
CLASS_OF = {
    Each.CLASS: "SELECT DISTINCT classsourcedid AS class, classsourcedid AS course FROM oneroster_enrollment",
    Each.COURSE: "SELECT DISTINCT ON (sourcedid) sourcedid AS class, coursesourcedid AS course FROM oneroster_class",
}
NO_CLASS = """
SELECT o.line, 'classSourcedId: classes.csv has no class ' || classsourcedid || ' with a course' AS wrong
FROM oneroster_enrollment o LEFT JOIN oneroster_class_of k ON k.class = classsourcedid
WHERE k.course IS NULL AND role = 'student' AND status IS DISTINCT FROM 'tobedeleted'
"""
# What was graded, and how much there is to grade.
GRADED = """
SELECT k.course, r.studentsourcedid AS student,
       count(DISTINCT r.lineitemsourcedid) FILTER (WHERE is_done) AS done, max(r.scoredate) AS at,
       max(r.scoredate) FILTER (WHERE is_done) AS done_at,
       avg(least(100, greatest(0, 100 * r.score / coalesce(nullif(i.resultvaluemax, 0), 100))))
           FILTER (WHERE is_done) AS score
FROM oneroster_result r
LEFT JOIN oneroster_line_item i ON i.sourcedid = r.lineitemsourcedid
JOIN oneroster_class_of k ON k.class = coalesce(i.classsourcedid, r.classsourcedid)
CROSS JOIN LATERAL (SELECT coalesce(r.scorestatus IN ('fully graded', 'exempt'), false) AS is_done) fully
WHERE r.status IS DISTINCT FROM 'tobedeleted' AND i.status IS DISTINCT FROM 'tobedeleted'
GROUP BY k.course, r.studentsourcedid
"""
TO_GRADE = """
SELECT k.course, count(DISTINCT item) AS items
FROM (SELECT classsourcedid AS class, sourcedid AS item FROM oneroster_line_item
      WHERE status IS DISTINCT FROM 'tobedeleted'
      UNION ALL
      SELECT classsourcedid, lineitemsourcedid FROM oneroster_result
      WHERE classsourcedid IS NOT NULL AND status IS DISTINCT FROM 'tobedeleted'
        AND NOT EXISTS (SELECT FROM oneroster_line_item)) all_items
JOIN oneroster_class_of k USING (class)
GROUP BY k.course
"""
# Several enrollments of a student in a course are one: it is assigned if any of them is not deleted. One that is
# deleted, of somebody or something unknown here, is no news.
ENROLMENT_LINES = """
SELECT o.line, NULL, o.course, NULL, o.student, NULL::timestamptz, o.assigned,
       CASE WHEN g.done > 0 THEN 100 * g.done / t.items END, g.at,
       CASE WHEN g.done >= t.items THEN g.done_at END,
       CASE WHEN g.done >= t.items AND g.done_at IS NOT NULL THEN round(g.score::numeric, 2) END
FROM (SELECT min(o.line) AS line, k.course, o.usersourcedid AS student,
             bool_or(o.status IS DISTINCT FROM 'tobedeleted') AS assigned
      FROM oneroster_enrollment o JOIN oneroster_class_of k ON k.class = o.classsourcedid
      WHERE o.role = 'student' GROUP BY k.course, o.usersourcedid) o
LEFT JOIN oneroster_graded g ON g.course = o.course AND g.student = o.student
LEFT JOIN oneroster_to_grade t ON t.course = o.course
WHERE o.assigned
   OR EXISTS (SELECT FROM course c JOIN "user" u ON u.organization_id = c.organization_id
              WHERE c.organization_id = :organization AND c.external_id = o.course AND u.external_id = o.student)
"""
OTHER_ROLES = "SELECT count(*) FROM oneroster_enrollment WHERE role <> 'student'"
LINES = " + ".join(f"(SELECT count(*) FROM {one.table})" for one in FILES)


def write_archive(
    session: Session, actor: Actor, errors: Errors, modes: Mapping[File, Mode], full: Full | None, each: Each
) -> Imported:
    """Write what the archive has. Returns the sum of what was imported.

    Raises `ImportInvalid`, `ImportRemovesTooMuch`, `ImportCrossed`.
    """
    done = []
    lines = int(session.execute(text(f"SELECT {LINES}")).scalar_one())
    if modes[USERS] != Mode.ABSENT:
        errors.file = USERS.name
        stage = Stage(session, actor, users.STAGED, errors, full=_whole(full, modes[USERS]))
        stage.check(again("sourcedId", "one", USERS.table, "sourcedid"))
        stage.refuse_what_is_wrong()
        stage.fill_from(USER_LINES)
        done.append(users.write_users(stage))
    source = CLASSES if each == Each.CLASS else COURSES
    if modes[source] != Mode.ABSENT:
        errors.file = source.name
        stage = Stage(session, actor, courses.STAGED, errors)
        stage.check(again("sourcedId", "one", source.table, "sourcedid"))
        stage.refuse_what_is_wrong()
        stage.fill_from(COURSE_LINES % WANTED[each])
        done.append(courses.write_courses(stage))
    if modes[ENROLLMENTS] != Mode.ABSENT:
        errors.file = ENROLLMENTS.name
        stage = Stage(session, actor, enrolments.STAGED, errors, full=_whole(full, modes[ENROLLMENTS]))
        done.append(_write_enrolments(stage, modes, each))
    return _sum(done, lines)


def _whole(full: Full | None, mode: Mode) -> Full | None:
    return full if mode == Mode.BULK else None


def _write_enrolments(stage: Stage, modes: Mapping[File, Mode], each: Each) -> Imported:
    ignored = {"other_roles": stage.ask(OTHER_ROLES), "results_of_a_delta": 0}
    if modes[RESULTS] == Mode.DELTA:
        ignored["results_of_a_delta"] = stage.ask("SELECT count(*) FROM oneroster_result")
        stage.write("TRUNCATE oneroster_result")
    stage.prepare("oneroster_class_of", CLASS_OF[each])
    if each == Each.COURSE:
        stage.check(NO_CLASS)
        stage.refuse_what_is_wrong()
    stage.prepare("oneroster_graded", GRADED)
    stage.prepare("oneroster_to_grade", TO_GRADE)
    stage.wait_for_others()
    stage.fill_from(ENROLMENT_LINES)
    enrolments.prepare_enrolments(stage)
    return write_enrolments(stage, ignored={reason: count for reason, count in ignored.items() if count})


def _sum(done: Iterable[Imported], lines: int) -> Imported:
    counts, removed, ignored = dict[str, Count](), dict[str, int](), dict[str, int]()
    for one in done:
        counts |= one.counts
        for total, part in ((removed, one.removed), (ignored, one.ignored)):
            for name, count in part.items():
                total[name] = total.get(name, 0) + count
    counts.pop("activities", None)
    return Imported(lines, counts, removed, ignored)
