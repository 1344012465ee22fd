"""Backups of the test's database, taken and restored with the commands of the guide."""

import subprocess
from pathlib import Path

import psycopg
import redis

from cli.local.place import place_of
from cli.local.programs import postgres_programs
from models.session import forget_engine


class Backup:
    """A dump of the database. Taken when it is made."""

    def __init__(self, database: str, folder: Path) -> None:
        self._database, self._folder = database, folder
        self._file = folder / "recourse.dump"
        self._run("pg_dump", "--format=custom", f"--file={self._file}", database)

    def restore(self, broker: redis.Redis) -> None:
        """Lose the database and the broker, and restore the database."""
        forget_engine()
        with psycopg.connect(self._database, dbname="postgres", autocommit=True) as administration:
            administration.execute("DROP DATABASE recourse WITH (FORCE)")
            administration.execute("CREATE DATABASE recourse")
        broker.flushall()
        self._run("pg_restore", "--exit-on-error", "--no-owner", f"--dbname={self._database}", str(self._file))

    def _run(self, program: str, *words: str) -> None:
        """Run the embedded PostgreSQL's program; one on the PATH may be older."""
        subprocess.run([str(postgres_programs(place_of(self._folder)) / program), *words], check=True)
