"""Disk space."""

import shutil
from pathlib import Path

MB = 1024**2
LOW = 100 * MB
FULL = 16 * MB  # the size of a WAL segment; PostgreSQL stops when it cannot write one


def free_space(folder: Path) -> int:
    """Returns how many bytes are free on the folder's disk. The folder need not exist."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def is_full(folder: Path) -> bool:
    """Returns whether a database in this folder has no room to go on."""
    return free_space(folder.absolute()) < FULL
