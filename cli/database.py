"""The commands about the database."""

from typing import Annotated

import typer

from cli.servers_and_database import servers_and_database, using_database
from cli.terminal import console, dim_note, notes
from models.migrations.run import (
    check_migrations,
    grant,
    grants_for,
    role_of_the_app,
    scratch_database,
    upgrade,
)
from models.session import engine, transaction
from models.versions import SUPPORTED_POSTGRES, newest_migration, server_version
from tasks.retention.restored import after_restore
from tasks.webhooks.secrets import seal_again

app = typer.Typer()
database = typer.Typer(help="Migrate and check the database.", no_args_is_help=True)
app.add_typer(database, name="database")


@database.command("upgrade")
def upgrade_command() -> None:
    """Migrate the database to this program's version. Users can keep working meanwhile."""
    with servers_and_database(migrate=True):
        done = upgrade(dim_note)
        console.print(
            f"The database is up to date: ran the migrations {', '.join(done)}."
            if done
            else f"The database is up to date at {newest_migration()}; there was nothing to do."
        )
        if role := role_of_the_app():
            grant(role)
            console.print(f"The role {role} has the rights that the application needs.")


@database.command("grant")
def grant_command(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="The role that the application connects as.")],
    sql: Annotated[bool, typer.Option("--sql", help="Print the statements, and change nothing.")] = False,
) -> None:
    """Give a role the rights that the application needs, and no others. Run it as the owner of the tables.

    `upgrade` does so by itself if RECOURSE_MIGRATION_DATABASE_URL names another role than RECOURSE_DATABASE_URL.
    """
    with servers_and_database(migrate=True):
        if sql:
            console.print("\n".join(f"{statement};" for statement in grants_for(role)), soft_wrap=True, highlight=False)
        else:
            grant(role)
            console.print(f"The role {role} has the rights that the application needs.")


@database.command("reseal")
def reseal_command() -> None:
    """Encrypt all webhook secrets with RECOURSE_SECRET_KEY, so that no former key is needed any more."""
    with servers_and_database(), transaction() as session:
        changed, unreadable = seal_again(session)
    console.print(f"{changed:,} {'secret is' if changed == 1 else 'secrets are'} encrypted with the current key.")
    if unreadable:
        notes.print(
            f"No key can decrypt {unreadable:,} {'secret' if unreadable == 1 else 'secrets'}. Add their key to "
            "RECOURSE_OLD_SECRET_KEYS, or make new secrets.",
            style="red",
            soft_wrap=True,
        )
        raise typer.Exit(1)


@database.command("restored")
def restored_command() -> None:
    """Undo what a restored backup has brought back. Run it before you start anything else.

    It ends sessions, revokes API tokens, and puts rules on hold until they are confirmed again. It repeats what the
    journal in the storage holds: it erases and removes persons again, resets learners again, and supersedes their
    certificates.
    """
    with servers_and_database(migrate=True):
        done = after_restore()
    for what, count in done.counts.items():
        console.print(f"{count:>9,} {what}")
    if not done.journal:
        console.print("The journal in the storage is empty. If that is wrong, check RECOURSE_STORAGE_URL.", style="red")
    for reset_id, course, start_at in done.open_resets:
        console.print(f"Reset {reset_id} of {course} continues, or starts on {start_at:%Y-%m-%d %H:%M %Z}.")
    if done.open_resets:
        console.print("If one of these was cancelled after the backup, cancel it again: `recourse cancel RESET`.")


@database.command("check")
def check_command() -> None:
    """Check the migrations in a scratch database: they produce the tables of the models, and none blocks writers."""
    with servers_and_database(migrate=True), scratch_database() as url, using_database(url):
        blocking = check_migrations()
        with engine().connect() as connection:
            _, version = server_version(connection)
    for migration, statements in blocking.items():
        for statement in statements:
            notes.print(f"Migration {migration}: {statement}", soft_wrap=True, highlight=False)
    if blocking:
        notes.print("These statements block a table's writers. Use models/migrations/gentle.py instead.")
        raise typer.Exit(1)
    console.print(f"The migrations are right on PostgreSQL {version}. {SUPPORTED_POSTGRES} are supported.")
