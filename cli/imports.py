"""The commands that import courses, users, enrolments and records."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich import progress
from rich.table import Table

from cli.acting_as import one_organization
from cli.options import Organization
from cli.servers_and_database import servers_and_database
from cli.sign_ins import sign_in_line
from cli.terminal import console, notes
from models.access import console_operator
from models.records import kind_labels
from models.session import transaction
from tasks.imports import IMPORTS, Form, Imported
from tasks.imports.oulad import ImportReport, import_oulad
from tasks.people.organizations import organizations

app = typer.Typer()
imports = typer.Typer(help="Import courses, users, enrolments and records.", no_args_is_help=True)
app.add_typer(imports, name="import")

File = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True, help="A .csv or .ndjson file.")
]


@imports.command("oulad")
def oulad_command(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder with courses.csv, studentInfo.csv and the other files.")
    ],
    organization: Annotated[str, typer.Option(metavar="SLUG", help="The organization to import into.")] = "oulad",
) -> None:
    """Import the Open University Learning Analytics Dataset: 22 courses, 32,593 enrolments.

    A second import adds what is missing and changes nothing else. If a file is malformed, nothing is imported.
    """
    with servers_and_database():
        began = time.monotonic()
        with notes.status("Importing") as status, transaction() as session:
            found = import_oulad(session, folder, organization, progress=status.update)
            (owner,) = organizations(session, [organization])
            several = len(organizations(session, limit=2)) > 1
        console.print(_oulad_table(found))
        for reason, rows in found.left_out.items():
            console.print(f"Left out: {rows:,} records, {reason}.")
        console.print(f"Imported into the organization {owner.slug} in {time.monotonic() - began:.1f} s.")
        console.print(sign_in_line(owner, several=several), soft_wrap=True, highlight=False)


@imports.command("users")
def users_command(file: File, organization: Organization = None) -> None:
    """Add users, and update existing ones.

    Columns: email, name, active, notifications_on, locale, time_zone.
    """
    _import("users", file, organization)


@imports.command("courses")
def courses_command(file: File, organization: Organization = None) -> None:
    """Add courses, and update existing ones. One line per activity.

    Columns: code, title, certificates_on, activity, kind, activity_title.
    """
    _import("courses", file, organization)


@imports.command("enrolments")
def enrolments_command(file: File, organization: Organization = None) -> None:
    """Assign courses to users, or unassign them.

    Columns: course, email, due_at, assigned.
    """
    _import("enrolments", file, organization)


def _import(what: str, path: Path, slug: str | None) -> None:
    form = Form.CSV if path.suffix.lower() == ".csv" else Form.NDJSON
    with servers_and_database(), ExitStack() as stack:
        file = stack.enter_context(progress.open(path, "rb", description=f"Reading {path.name}", console=notes))
        session = stack.enter_context(transaction())
        owner = one_organization(session, slug)
        imported = IMPORTS[what](session, console_operator(owner), file, form)
    console.print(_file_table(imported))


def _oulad_table(found: ImportReport) -> Table:
    counts = {"Courses": found.courses, "Users": found.users, "Activities": found.activities}
    counts |= {"Enrolments": found.enrolments, **{kind_labels()[kind]: count for kind, count in found.records.items()}}
    table = _counting_table("Imported", "In the files", "New")
    for label, count in counts.items():
        table.add_row(label, f"{count.in_files:,}", f"{count.new:,}")
    return table


def _file_table(imported: Imported) -> Table:
    table = _counting_table("Imported", "In the file", "New", "Changed", "Unchanged")
    for what, count in imported.counts.items():
        figures = (count.in_file, count.new, count.changed, count.unchanged)
        table.add_row(what.capitalize(), *(f"{figure:,}" for figure in figures))
    return table


def _counting_table(what: str, *counts: str) -> Table:
    table = Table(what, *counts)
    for column in table.columns[1:]:
        column.justify = "right"
    return table
