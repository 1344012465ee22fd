"""The commands that import users, courses, enrolments, groups and history."""

import time
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich import progress
from rich.table import Table

from cli.acting_as import one_organization
from cli.options import AsJson, Organization
from cli.servers_and_database import servers_and_database
from cli.sign_ins import sign_in_line
from cli.terminal import console, notes, print_json, print_table
from models.access import console_operator
from models.records import kind_labels
from models.session import transaction
from tasks.imports import (
    FULL_IMPORTS,
    IMPORTS,
    Each,
    Form,
    Full,
    Import,
    Imported,
    import_oneroster,
    import_xapi,
)
from tasks.imports.oulad import ImportReport, import_oulad
from tasks.people.organizations import organizations

app = typer.Typer()
imports = typer.Typer(help="Import users, courses, enrolments, groups and history.", no_args_is_help=True)
app.add_typer(imports, name="import")

File = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True, help="A .csv or .ndjson file.")
]


Whole = Annotated[
    bool, typer.Option("--full", help="The file is complete: remove what it does not name, up to --most-removed.")
]
MostRemoved = Annotated[
    float,
    typer.Option(
        "--most-removed",
        metavar="PERCENT",
        min=0,
        max=100,
        help="With --full, the most that it may remove, in percent.",
    ),
]
MOST_REMOVED = 10.0

IGNORED = {
    "removed_users": "lines about removed users",
    "not_assigned": "history of courses that are not assigned",
    "completions_before_reset": "completions before the learner's last reset",
    "older_completions": "completions older than the stored one",
    "progress_before_reset": "progress before the learner's last reset, or without a date after it",
    "other_verbs": "statements with other verbs",
    "other_objects": "statements about other objects than courses",
    "other_roles": "enrollments in other roles than student",
    "results_of_a_delta": "results of a delta file",
}


@imports.command("oulad")
def oulad_command(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder with courses.csv, studentInfo.csv and the other files.")
    ],
    organization: Annotated[str, typer.Option(metavar="SLUG", help="The organization to import into.")] = "oulad",
    as_json: AsJson = False,
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
        if as_json:
            print_json({"organization": owner.slug} | asdict(found))
            return
        print_table(_oulad_table(found))
        for reason, rows in found.left_out.items():
            console.print(f"Left out: {rows:,} records, {reason}.")
        console.print(f"Imported into the organization {owner.slug} in {time.monotonic() - began:.1f} s.")
        console.print(sign_in_line(owner, several=several), soft_wrap=True, highlight=False)


@imports.command("users")
def users_command(
    file: File,
    organization: Organization = None,
    full: Whole = False,
    most_removed: MostRemoved = MOST_REMOVED,
    as_json: AsJson = False,
) -> None:
    """Add users, and update existing ones. With --full, deactivate and unassign the users it does not name.

    Columns: external_id, email, name, active, notifications_on, locale, time_zone.
    """
    _import_table("users", file, organization, Full(most_removed / 100) if full else None, as_json=as_json)


@imports.command("courses")
def courses_command(file: File, organization: Organization = None, as_json: AsJson = False) -> None:
    """Add courses, and update existing ones. One line per activity.

    Columns: external_id, code, title, certificates_on, activity, kind, activity_title.
    """
    _import_table("courses", file, organization, as_json=as_json)


@imports.command("enrolments")
def enrolments_command(
    file: File,
    organization: Organization = None,
    full: Whole = False,
    most_removed: MostRemoved = MOST_REMOVED,
    as_json: AsJson = False,
) -> None:
    """Assign courses to users, or unassign them, and bring their history. With --full, unassign all others.

    Columns: course or course_external_id, email or user_external_id, due_at, assigned, progress, progress_at,
    completed_at, score.
    """
    _import_table("enrolments", file, organization, Full(most_removed / 100) if full else None, as_json=as_json)


@imports.command("groups")
def groups_command(
    file: File,
    organization: Organization = None,
    full: Whole = False,
    most_removed: MostRemoved = MOST_REMOVED,
    as_json: AsJson = False,
) -> None:
    """Add and rename groups, and have users join or leave them. With --full, end all other memberships.

    Columns: group, name, external_id, email or user_external_id, member.
    """
    _import_table("groups", file, organization, Full(most_removed / 100) if full else None, as_json=as_json)


@imports.command("oneroster")
def oneroster_command(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True, help="A .zip with a manifest.csv."),
    ],
    organization: Organization = None,
    full: Whole = False,
    most_removed: MostRemoved = MOST_REMOVED,
    each: Annotated[Each, typer.Option(help="What becomes a course: each class, or each course.")] = Each.CLASS,
    as_json: AsJson = False,
) -> None:
    """Import users, courses, enrolments and results from OneRoster 1.2 in CSV.

    With --full, what files that the manifest calls “bulk” do not name is removed.
    """
    whole = Full(most_removed / 100) if full else None
    _import(
        file,
        organization,
        lambda session, actor, content, _: import_oneroster(session, actor, content, whole, each),
        as_json=as_json,
    )


@imports.command("xapi")
def xapi_command(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            readable=True,
            help="Statements, one a line or as a JSON array.",
        ),
    ],
    organization: Organization = None,
    mapped: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="ID=COURSE", help="The course code of an object's id. May be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Import the history of xAPI statements: completed, passed, progressed, initialized.

    Without --map, the object's id is the course's external id.
    """
    courses = {}
    for one in mapped or []:
        activity, _, code = one.rpartition("=")
        if not activity or not code:
            raise typer.BadParameter("Write it like https://lms.example/safety=SAFETY-101.", param_hint="--map")
        courses[activity] = code
    _import(
        file,
        organization,
        lambda session, actor, content, _: import_xapi(session, actor, content, courses),
        as_json=as_json,
    )


def _import_table(what: str, path: Path, slug: str | None, full: Full | None = None, *, as_json: bool) -> None:
    _import(path, slug, partial(FULL_IMPORTS[what], full=full) if full else IMPORTS[what], as_json=as_json)


def _import(path: Path, slug: str | None, run: Import, *, as_json: bool) -> None:
    form = Form.CSV if path.suffix.lower() == ".csv" else Form.NDJSON
    with servers_and_database(), ExitStack() as stack:
        file = stack.enter_context(progress.open(path, "rb", description=f"Reading {path.name}", console=notes))
        session = stack.enter_context(transaction())
        owner = one_organization(session, slug)
        imported = run(session, console_operator(owner), file, form)
    if as_json:
        counts = {what: asdict(count) | {"unchanged": count.unchanged} for what, count in imported.counts.items()}
        print_json(asdict(imported) | {"counts": counts})
        return
    print_table(_file_table(imported))
    for what, count in imported.removed.items():
        console.print(f"Removed: {count:,} {what}, which the file does not name.")
    for reason, count in imported.ignored.items():
        console.print(f"Ignored: {count:,} {IGNORED[reason]}.")


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
