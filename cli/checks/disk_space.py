"""Disk space of the folders that this process can see. The database's own disk is checked with the database."""

import os
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from cli.checks.finding import FaultyError, Places
from cli.local.space import LOW, MB, free_space
from config.settings import settings


def check(_: Places) -> str:
    # Not `tempfile.gettempdir()`, which skips a folder whose disk is full.
    temporary = Path(os.environ.get("TMPDIR", "/tmp"))  # noqa: S108 - nothing is written there
    folders = {settings().home.absolute(): "the folder of the installation", temporary: "temporary files"}
    url = settings().storage_url
    if url and url.startswith("file:"):
        folders[Path(url2pathname(urlsplit(url).path))] = "the storage of files"
    free = {folder: free_space(folder) for folder in folders}
    if low := [folder for folder in folders if free[folder] < LOW]:
        found = "; ".join(f"{folders[folder]}, {folder}: {_megabytes(free[folder])} left" for folder in low)
        raise FaultyError(found, "Free some space there. Until then, writes may be refused.")
    return f"at least {_megabytes(min(free.values()))} left in each folder"


def _megabytes(size: int) -> str:
    return f"{size // MB:,} MB"
