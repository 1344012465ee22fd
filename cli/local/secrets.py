"""Secrets of an installation that brings its own servers."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile


def kept_secret(home: Path, name: str) -> str:
    """Returns the secret in this file of the folder, generated at its first use. Only its owner can read the file."""
    path = home / name
    if not path.exists():
        with NamedTemporaryFile("w", dir=home) as complete:  # created with mode 0600
            complete.write(secrets.token_urlsafe(24))
            complete.flush()
            with suppress(FileExistsError):  # another command was quicker
                os.link(complete.name, path)  # whole or not at all, even if this process is killed
    return path.read_text()
