"""The commands about data: import, analytics, database."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from alembic import command
from rich import progress
from sqlalchemy import create_engine, make_url, select, text

from cli.acting_as import OrganizationOption, one_organization, organization_of_course, organizations
from cli.migrations import (
    BASELINE,
    alembic_config,
    grant,
    grants_for,
    newest_migration,
    role_of_the_app,
    stopping_statements,
    upgrade,
)
from cli.servers_and_database import surroundings, using_database
from cli.tables import counts_table, courses_table, imported_table, users_table
from cli.terminal import console, notes, print_json
from cli.welcome import sign_in_line
from config.database import migration_url
from models.access import console_operator
from models.analytics import UserCompletion, completion_by_course, completion_by_user
from models.session import transaction
from models.training import Course
from tasks.imports import IMPORTS, Form
from tasks.imports.oulad import import_oulad
from tasks.people.organizations import organizations as organization_lines
from tasks.retention.restored import after_restore
from tasks.webhooks.secrets import seal_again

app = typer.Typer()
imports = typer.Typer(help="Bring in courses, users, enrolments and records.", no_args_is_help=True)
database = typer.Typer(help="Bring the database's tables up to date, or check them.", no_args_is_help=True)
app.add_typer(imports, name="import")
app.add_typer(database, name="database")


@imports.command("oulad")
def import_oulad_command(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder with courses.csv, studentInfo.csv and the others.")
    ],
    organization: Annotated[str, typer.Option(metavar="SLUG", help="The organization to import into.")] = "oulad",
) -> None:
    """Import the Open University Learning Analytics Dataset: 22 courses, 32,593 enrolments.

    Importing again adds what is missing and changes nothing else. A malformed file changes nothing at all.
    """
    with surroundings():
        began = time.monotonic()
        with notes.status("Importing") as status, transaction() as session:
            found = import_oulad(session, folder, organization, progress=status.update)
            (owner,) = organization_lines(session, [organization])
            several = len(organization_lines(session, limit=2)) > 1
        console.print(imported_table(found))
        for reason, rows in found.left_out.items():
            console.print(f"Left out: {rows:,} records, {reason}.")
        console.print(f"Took {time.monotonic() - began:.1f} s.")
        console.print(f"All of it is in the organization {owner.slug}.", highlight=False)
        console.print(sign_in_line(owner, several=several), soft_wrap=True, highlight=False)


File = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True, help="A .csv or .ndjson file.")
]


@imports.command("users")
def import_users_command(file: File, organization: OrganizationOption = None) -> None:
    """Add users, and change those who are there. Columns: email, name, active, notifications_on, locale, time_zone."""
    _import("users", file, organization)


@imports.command("courses")
def import_courses_command(file: File, organization: OrganizationOption = None) -> None:
    """Add courses, and change those that are there. Columns: code, title, certificates_on, activity, kind,
    activity_title; a line an activity."""
    _import("courses", file, organization)


@imports.command("enrolments")
def import_enrolments_command(file: File, organization: OrganizationOption = None) -> None:
    """Assign courses to users. Columns: course, email, due_at, assigned."""
    _import("enrolments", file, organization)


def _import(what: str, path: Path, slug: str | None) -> None:
    """All of the file or nothing."""
    form = Form.CSV if path.suffix.lower() == ".csv" else Form.NDJSON
    with surroundings(), ExitStack() as stack:
        file = stack.enter_context(progress.open(path, "rb", description=f"Reading {path.name}", console=notes))
        session = stack.enter_context(transaction())
        owner = one_organization(session, slug)
        imported = IMPORTS[what](session, console_operator(owner), file, form)
    console.print(counts_table(imported))


@app.command("analytics")
def analytics_command(
    course: Annotated[str | None, typer.Argument(metavar="[COURSE]", help="A course code, for its users.")] = None,
    organization: OrganizationOption = None,
    limit: Annotated[int, typer.Option(min=1, help="How many users to show at most.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with all users.")] = False,
) -> None:
    """Show course completion by users: of all courses, or of one with its users."""
    with surroundings(), transaction() as session:
        owners = (
            [organization_of_course(session, course, organization)] if course else organizations(session, organization)
        )
        rows = [(owner, row) for owner in owners for row in completion_by_course(session, owner.id, course)]
        users: Iterator[UserCompletion] = iter(())
        if course:
            users = completion_by_user(
                session,
                session.scalars(
                    select(Course).where(Course.organization_id == owners[0].id, Course.code == course)
                ).one(),
            )
        if as_json:
            print_json(
                {
                    "courses": [asdict(row) | {"organization": owner.slug, "rate": row.rate} for owner, row in rows],
                    **({"users": [asdict(user) for user in users]} if course else {}),
                }
            )
            return
        console.print(
            courses_table(rows) if rows else "There are no courses yet. `recourse import oulad DIR` brings some."
        )
        if shown := list(islice(users, limit)):
            console.print(users_table(shown))
            if (left := rows[0][1].assigned - len(shown)) > 0:
                console.print(f"… and {left:,} more. Show them with --limit, or all with --json.")


@database.command("upgrade")
def upgrade_command() -> None:
    """Bring the database's tables up to this program's version. Nobody has to stop working meanwhile."""
    with surroundings(migrate=True):
        done = upgrade()
        console.print(
            f"The database is up to date: migrations {', '.join(done)} were run."
            if done
            else f"The database is up to date: it is at {newest_migration()}, and there was nothing to do."
        )
        if role := role_of_the_app():
            grant(role)
            console.print(f"The role {role} may use it.")


@database.command("grant")
def grant_command(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="The role that the application connects as.")],
    sql: Annotated[bool, typer.Option("--sql", help="Print the statements, and change nothing.")] = False,
) -> None:
    """Give a role what the application needs of the database, and nothing more. Run it as the owner of the tables.

    `upgrade` does it by itself where RECOURSE_MIGRATION_DATABASE_URL is another role's than RECOURSE_DATABASE_URL.
    """
    with surroundings(migrate=True):
        if sql:
            console.print("\n".join(f"{statement};" for statement in grants_for(role)), soft_wrap=True, highlight=False)
        else:
            grant(role)
            console.print(f"The role {role} has what it needs.")


@database.command("reseal")
def reseal_command() -> None:
    """Encrypt all webhook secrets with RECOURSE_SECRET_KEY, after which none needs a former key any more."""
    with surroundings(), transaction() as session:
        changed, unreadable = seal_again(session)
    console.print(f"{changed:,} {'secret was' if changed == 1 else 'secrets were'} encrypted anew.")
    if unreadable:
        notes.print(
            f"{unreadable:,} cannot be read with any key that is set. Put the key into RECOURSE_OLD_SECRET_KEYS, or "
            "make new secrets.",
            style="red",
            soft_wrap=True,
        )
        raise typer.Exit(1)


@database.command("restored")
def restored_command() -> None:
    """Undo what a restored backup has brought back. Run it before anything else is started.

    Sessions are ended, API tokens revoked, and rules wait for a new confirmation. What the journal in the storage knows
    is done again: persons are erased, learners who were reset since are reset, their certificates superseded.
    """
    with surroundings(migrate=True):
        done = after_restore()
    for what, count in done.counts.items():
        console.print(f"{count:>9,} {what}")
    if not done.journal:
        console.print("The journal in the storage is empty. Check RECOURSE_STORAGE_URL if that cannot be.", style="red")
    for reset_id, course, start_at in done.open_resets:
        console.print(f"Reset {reset_id} of {course} goes on, or begins on {start_at:%Y-%m-%d %H:%M %Z}.")
    if done.open_resets:
        console.print("Whoever cancelled one of these since the backup: do it again, with `recourse cancel RESET`.")


@database.command("check")
def check_command() -> None:
    """Check, in a scratch database, that the migrations lead to exactly the tables that the models describe, and that
    none stops those who work."""
    with surroundings(migrate=True), _scratch_database():
        command.upgrade(alembic_config(), BASELINE)
        for migration, statements in (stopping := stopping_statements(alembic_config())).items():
            for statement in statements:
                notes.print(f"Migration {migration}: {statement}", soft_wrap=True, highlight=False)
        if stopping:
            notes.print("These stop the writers of a table while it is read. Use models/migrations/gentle.py.")
            raise typer.Exit(1)
        command.check(alembic_config())


@contextmanager
def _scratch_database() -> Iterator[None]:
    """An empty database beside the real one; in the scope, sessions and migrations use it."""
    url = make_url(migration_url())
    name = f"recourse_check_{os.getpid()}"
    with create_engine(url, isolation_level="AUTOCOMMIT").connect() as real:
        real.execute(text(f"CREATE DATABASE {name}"))
        try:
            with using_database(url.set(database=name).render_as_string(hide_password=False)):
                yield
        finally:
            real.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
