"""Bring in users, courses with their activities, and enrolments from files, in bulk: all of a file or nothing.

    lines       a file as CSV or NDJSON, a line at a time, each value checked; and what is wrong, by line
    stage       the lines in a temporary table, checked against each other and the database, and what comes of it
    users, courses, enrolments      what each file holds, and the statements that write it

What is there already is changed to what the file says; what the file does not say stays; nothing is ever deleted. To
import a file again changes nothing. Memory does not grow with the file.
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
