"""The commands about learners' files."""

from typing import Annotated

import typer
from rich.filesize import decimal
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cli.options import AsJson
from cli.servers_and_database import servers_and_database
from cli.terminal import console, notes, print_json
from tasks.files.deletions import Swept
from tasks.files.deletions import sweep as sweep_storage

app = typer.Typer()
files = typer.Typer(help="Look after the storage of learners' files.", no_args_is_help=True)
app.add_typer(files, name="files")


@files.command("sweep")
def sweep_command(
    delete: Annotated[bool, typer.Option("--delete", help="Delete the files found. It cannot be undone.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find files in the storage that the database does not know, and delete them with --delete.

    Such files appear when the database is restored from a backup, or when something else writes to the storage. Files
    younger than an hour are left alone. The exit status is 1 if some files could not be deleted.
    """
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with servers_and_database(), Progress(*columns, console=notes, transient=True) as bar:
        line = bar.add_task("Searching the storage")
        swept = sweep_storage(delete=delete, progress=lambda so_far: bar.update(line, description=_words(so_far)))
    failed = swept.orphans - swept.deleted if delete else 0
    if as_json:
        print_json(
            {"seen": swept.seen, "orphans": swept.orphans, "bytes": swept.orphan_bytes, "deleted": swept.deleted}
        )
    else:
        console.print(f"{_words(swept)}.")
        if swept.orphans and not delete:
            console.print("Nothing was deleted. `recourse files sweep --delete` deletes them.")
        elif failed:
            console.print(f"{failed:,} could not be deleted. The log says why. Run the command again.")
    if failed:
        raise typer.Exit(1)


def _words(swept: Swept) -> str:
    words = f"{swept.seen:,} files in the storage, {swept.orphans:,} of them unknown to the database"
    words += f" ({decimal(swept.orphan_bytes)})" if swept.orphans else ""
    return words + (f"; {swept.deleted:,} deleted" if swept.deleted else "")
