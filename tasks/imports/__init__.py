"""Import users, courses, enrolments, groups and history from files: all of a file or nothing.

    values      the columns of a file, and the checks of their values
    lines       the lines of a CSV or NDJSON file, and the errors by line
    stage       the lines in a temporary table, checked against each other and against the database
    users, courses, enrolments, groups      the columns of each file, and the statements that write it
    history     enrolments with progress, completions and scores, and what a reset has put an end to
    xapi        statements of xAPI
    oneroster   OneRoster 1.2 in CSV
    oulad       the Open University Learning Analytics Dataset

Existing rows are changed to what the file says; values that the file leaves out stay; only a full import removes what
the file does not name. Importing a file again changes nothing. Memory use does not depend on the file's size.
"""

from collections.abc import Callable
from typing import BinaryIO, Protocol

from sqlalchemy.orm import Session

from models.access import Actor
from tasks.imports.courses import import_courses
from tasks.imports.enrolments import import_enrolments
from tasks.imports.groups import import_groups
from tasks.imports.lines import Form
from tasks.imports.oneroster import Each, import_oneroster
from tasks.imports.stage import Count, Full, Imported
from tasks.imports.users import import_users
from tasks.imports.xapi import import_xapi

__all__ = [
    "FULL_IMPORTS",
    "IMPORTS",
    "Count",
    "Each",
    "Form",
    "Full",
    "FullImport",
    "Import",
    "Imported",
    "import_oneroster",
    "import_xapi",
]

Import = Callable[[Session, Actor, BinaryIO, Form], Imported]


class FullImport(Protocol):
    """An import that can also remove what the file does not name."""

    def __call__(
        self, session: Session, actor: Actor, file: BinaryIO, form: Form, full: Full | None = None
    ) -> Imported: ...


FULL_IMPORTS: dict[str, FullImport] = {
    "users": import_users,
    "enrolments": import_enrolments,
    "groups": import_groups,
}

IMPORTS: dict[str, Import] = {"courses": import_courses, **FULL_IMPORTS}
