"""Import users, courses with their activities, and enrolments from files: all of a file or nothing.

    values      the columns of a file, and the checks of their values
    lines       the lines of a CSV or NDJSON file, and the errors by line
    stage       the lines in a temporary table, checked against each other and against the database
    users, courses, enrolments      the columns of each file, and the statements that write it
    oulad       the Open University Learning Analytics Dataset

Existing rows are changed to what the file says; values that the file leaves out stay; nothing is deleted. Importing a
file again changes nothing. Memory use does not depend on the file's size.
"""

from collections.abc import Callable
from typing import BinaryIO

from sqlalchemy.orm import Session

from models.access import Actor
from tasks.imports.courses import import_courses
from tasks.imports.enrolments import import_enrolments
from tasks.imports.lines import Form
from tasks.imports.stage import Count, Imported
from tasks.imports.users import import_users

__all__ = ["IMPORTS", "Count", "Form", "Import", "Imported"]

Import = Callable[[Session, Actor, BinaryIO, Form], Imported]

IMPORTS: dict[str, Import] = {"users": import_users, "courses": import_courses, "enrolments": import_enrolments}
