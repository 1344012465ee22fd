"""The commands about the database."""

from typing import Annotated

import typer

from cli.options import AsJson
from cli.servers_and_database import servers_and_database, using_database
from cli.terminal import answer, console, dim_note, notes, print_json
from models.migrations.run import (
    check_migrations,
    grant,
    grants_for,
    role_of_the_app,
    scratch_database,
    upgrade,
    version_of_tables,
)
from models.session import engine, transaction
from models.versions import SUPPORTED_POSTGRES, is_later, newest_migration, server_version
from tasks.retention.restored import after_restore
from tasks.webhooks.secrets import seal_again

app = typer.Typer()
database = typer.Typer(help="Migrate and check the database.", no_args_is_help=True)
app.add_typer(database, name="database")


@database.command("upgrade")
def upgrade_command(as_json: AsJson = False) -> None:
    """Migrate the database to this program's version. Users can keep working meanwhile."""
    with servers_and_database(migrate=True):
        if (at := version_of_tables()) and is_later(at):
            sentence = f"A later release has migrated the database to {at}. This one works on it; nothing was done."
            answer({"migration": at, "ran": [], "role": None}, sentence, as_json=as_json)
            return
        done = upgrade(dim_note)
        sentence = (
            f"The database is up to date: ran the migrations {', '.join(done)}."
            if done
            else f"The database is up to date at {newest_migration()}; there was nothing to do."
        )
        if role := role_of_the_app():
            grant(role)
            sentence += f"\nThe role {role} has the rights that the application needs."
        answer({"migration": newest_migration(), "ran": done, "role": role}, sentence, as_json=as_json)


@database.command("grant")
def grant_command(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="The role that the application connects as.")],
    sql: Annotated[bool, typer.Option("--sql", help="Print the statements, and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give a role the rights that the application needs, and no others. Run it as the owner of the tables.

    `upgrade` does so by itself if RECOURSE_MIGRATION_DATABASE_URL names another role than RECOURSE_DATABASE_URL.
    """
    with servers_and_database(migrate=True):
        statements = grants_for(role) if sql else []
        sentence = "\n".join(f"{statement};" for statement in statements)
        if not sql:
            grant(role)
            sentence = f"The role {role} has the rights that the application needs."
        answer({"role": role, "granted": not sql, "statements": statements}, sentence, as_json=as_json)


@database.command("reseal")
def reseal_command(as_json: AsJson = False) -> None:
    """Encrypt all webhook secrets with RECOURSE_SECRET_KEY, so that no former key is needed any more."""
    with servers_and_database(), transaction() as session:
        changed, unreadable = seal_again(session)
    sentence = f"{changed:,} {'secret is' if changed == 1 else 'secrets are'} encrypted with the current key."
    answer({"encrypted": changed, "unreadable": unreadable}, sentence, as_json=as_json)
    if unreadable:
        notes.print(
            f"No key can decrypt {unreadable:,} {'secret' if unreadable == 1 else 'secrets'}. Add their key to "
            "RECOURSE_OLD_SECRET_KEYS, or make new secrets.",
            style="red",
            soft_wrap=True,
        )
        raise typer.Exit(1)


@database.command("restored")
def restored_command(as_json: AsJson = False) -> None:
    """Undo what a restored backup has brought back. Run it before you start anything else.

    It ends sessions, revokes API tokens, and puts rules on hold until they are confirmed again. It repeats what the
    journal in the storage holds: it erases and removes persons again, resets learners again, and supersedes their
    certificates.
    """
    with servers_and_database(migrate=True):
        done = after_restore()
    if as_json:
        resets = [{"id": one, "course": course, "start_at": at} for one, course, at in done.open_resets]
        print_json({"counts": done.counts, "journal": done.journal, "open_resets": resets})
        return
    for what, count in done.counts.items():
        console.print(f"{count:>9,} {what}")
    if not done.journal:
        console.print("The journal in the storage is empty. If that is wrong, check RECOURSE_STORAGE_URL.", style="red")
    for reset_id, course, start_at in done.open_resets:
        console.print(f"Reset {reset_id} of {course} continues, or starts on {start_at:%Y-%m-%d %H:%M %Z}.")
    if done.open_resets:
        console.print("If one of these was cancelled after the backup, cancel it again: `recourse cancel RESET`.")


@database.command("check")
def check_command(as_json: AsJson = False) -> None:
    """Check the migrations in a scratch database: they produce the tables of the models, and none blocks writers."""
    with servers_and_database(migrate=True), scratch_database() as url, using_database(url):
        blocking = check_migrations()
        with engine().connect() as connection:
            _, version = server_version(connection)
    for migration, statements in blocking.items():
        for statement in statements:
            notes.print(f"Migration {migration}: {statement}", soft_wrap=True, highlight=False)
    if as_json:
        print_json({"postgresql": version, "blocking": blocking})
    if blocking:
        notes.print("These statements block a table's writers. Use models/migrations/gentle.py instead.")
        raise typer.Exit(1)
    if not as_json:
        console.print(f"The migrations are right on PostgreSQL {version}. {SUPPORTED_POSTGRES} are supported.")
