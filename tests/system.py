"""Servers of the operating system, which `make test` installs where it can."""

import os
import shutil
from pathlib import Path

from models.versions import NEWEST_POSTGRES, OLDEST_POSTGRES

PLACES = os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/usr/lib/rabbitmq/bin"))


def program(name: str, package: str) -> str:
    """Return the path of a server's program."""
    found = shutil.which(name, path=PLACES)
    assert found, f"This test needs {name}. Install it: apt-get install {package}"
    return found


def oldest_postgres() -> Path:
    """Return the folder of the programs of the oldest supported PostgreSQL that is installed, older than our own."""
    folders = [Path(f"/usr/lib/postgresql/{major}/bin") for major in range(OLDEST_POSTGRES, NEWEST_POSTGRES)]
    found = next((folder for folder in folders if (folder / "postgres").exists()), None)
    assert found, "This test needs the system's PostgreSQL. Install it: apt-get install postgresql-15"
    return found
