"""OneRoster 1.2 in CSV: an archive of users, classes, enrollments and results, whole (bulk) or changes (delta).

    users.csv                  sourcedId                      user, by external_id
                               status, enabledUser            active
    classes.csv, courses.csv   sourcedId of the class, or of  course, by external_id; a new one has the code of the
                               the class's course             class or course, if it is one and free, or the sourcedId
    enrollments.csv            role student                   enrolment; status tobedeleted unassigns it
    results.csv, lineItems.csv scoreStatus, score, scoreDate  progress: the share of line items that are fully graded
                                                              or exempt; once all are, completion and score

Only a bulk file of results says how far a learner is: those of a delta are counted, and not used. A full import removes
what bulk files do not name. Other files, other roles, and other columns are not read.

    archive     the archive, its manifest, and its files in temporary tables
    write       from there into the stages of users, courses and enrolments
"""

from typing import BinaryIO

from sqlalchemy.orm import Session

from models.access import Actor, Permission
from tasks.imports.lines import Errors
from tasks.imports.oneroster.archive import read_archive
from tasks.imports.oneroster.write import Each, write_archive
from tasks.imports.stage import Full, Imported, refuse_what_is_wrong

__all__ = ["Each", "import_oneroster"]


def import_oneroster(
    session: Session, actor: Actor, file: BinaryIO, full: Full | None = None, each: Each = Each.CLASS
) -> Imported:
    """Import the archive: users, courses, enrolments with their history. `each` says what becomes a course.

    Raises `Forbidden`, `ImportInvalid`, `ImportRemovesTooMuch`, `ImportCrossed`.
    """
    actor.must_have(Permission.USERS)
    actor.must_have(Permission.COURSES)
    errors = Errors()
    modes = read_archive(session, file, errors)
    refuse_what_is_wrong(errors)
    return write_archive(session, actor, errors, modes, full, each)
