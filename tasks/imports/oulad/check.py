"""Check the files against each other."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from tasks.imports.oulad.files import (
    ASSESSMENTS,
    COURSES,
    REGISTRATIONS,
    SITES,
    STUDENTS,
    SUBMISSIONS,
    File,
    MalformedFile,
)

# Each row of the first file needs a row with the same key in the last file; otherwise the named column is wrong.
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


def check_references(session: Session) -> None:
    """Raises `MalformedFile` for the first row whose course, student or assessment is missing in another file."""
    for file, column, target in REFERENCES:
        key = ", ".join(target.key)
        query = f"""
            SELECT line, concat_ws('-', {key}) || ' is not in {target.name}' FROM {file.table}
            LEFT JOIN (SELECT {key}, true AS known FROM {target.table}) target USING ({key})
            WHERE known IS NULL ORDER BY line LIMIT 1
        """
        _refuse_first(session, file, column, query)
    _refuse_first(session, SUBMISSIONS, "id_student", SUBMITTED_BY_A_STRANGER)


def _refuse_first(session: Session, file: File, column: str, query: str) -> None:
    if wrong := session.execute(text(query)).first():
        raise MalformedFile(file.name, wrong[1], wrong[0], column)
