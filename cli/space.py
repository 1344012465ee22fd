"""How much space there is left where this installation writes."""

import shutil
from pathlib import Path

MB = 1024**2
LOW = 100 * MB
FULL = 16 * MB  # PostgreSQL writes its log in pieces of that size, and stops without one


def free_space(folder: Path) -> int:
    """Bytes that may still be written there, or where it would be made."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def is_full(folder: Path) -> bool:
    """Whether a database in this folder has no room to go on."""
    return free_space(folder.absolute()) < FULL
