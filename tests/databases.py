"""Additional databases, and the command line on them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

from cli.local.place import place_of
from cli.local.programs import postgres_programs
from tests.conftest import PROJECT, libpq


@contextmanager
def made_database(url: str, name: str) -> Iterator[str]:
    """Create an empty database on the server of `url`, and return its URL."""
    with psycopg.connect(libpq(url), dbname="postgres", autocommit=True) as administration:
        administration.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield make_url(url).set(database=name).render_as_string(hide_password=False)
        finally:
            administration.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def recourse_on(url: str, *words: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run the command line on this database."""
    with started_on(url, *words, **settings) as process:
        stdout, stderr = process.communicate(timeout=120)
    return subprocess.CompletedProcess(words, process.returncode, stdout, stderr)


def started_on(url: str, *words: str, **settings: object) -> subprocess.Popen[str]:
    """Start the command line on this database."""
    own = {f"RECOURSE_{name.upper()}": str(value) for name, value in ({"database_url": url} | settings).items()}
    return subprocess.Popen(
        [sys.executable, "-m", "cli.main", *words],
        cwd=PROJECT,
        env=os.environ | {"COLUMNS": "200"} | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def values(url: str, query: str) -> list[tuple[Any, ...]]:
    """Run a query; returns its rows."""
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        answer = connection.execute(query.encode())
        return answer.fetchall() if answer.description else []


APP, OWNER = "recourse_app", "recourse_owner"
PASSWORDS = {"DATABASE_OWNER_PASSWORD": "of-the-owner", "DATABASE_PASSWORD": "of-the-application"}


@contextmanager
def with_roles(url: str) -> Iterator[tuple[str, str]]:
    """Create the roles with `make_roles`, and drop them afterwards."""
    yield make_roles(url)
    with psycopg.connect(libpq(url), autocommit=True) as superuser:
        for role in (APP, OWNER):
            for statement in (
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'",
                f"REASSIGN OWNED BY {role} TO CURRENT_USER",
                f"DROP OWNED BY {role}",
                f"DROP ROLE {role}",
            ):
                superuser.execute(statement.encode())


def make_roles(url: str) -> tuple[str, str]:
    """Create the database roles as Compose does. Returns the URLs of the application and the owner.

    The local server admits only its superuser, so a line in pg_hba.conf admits these roles by password.
    """
    with psycopg.connect(libpq(url), autocommit=True) as superuser:
        [(path,)] = superuser.execute("SHOW hba_file").fetchall()
        hba = Path(path)
        if APP not in (before := hba.read_text()):
            hba.write_text(f"local all {APP},{OWNER} scram-sha-256\n{before}")
            superuser.execute("SELECT pg_reload_conf()")
    psql = postgres_programs(place_of(hba.parent)) / "psql"
    script = PROJECT / "deploy" / "postgres-roles.sql"
    words = [f"--dbname={libpq(url)}", f"--variable=app={APP}", f"--variable=owner={OWNER}", f"--file={script}"]
    made = subprocess.run(
        [psql, "--no-psqlrc", "--quiet", *words],
        env=os.environ | PASSWORDS, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return as_role(url, APP), as_role(url, OWNER)


def as_role(url: str, role: str) -> str:
    """Return the URL for this role."""
    password = PASSWORDS["DATABASE_PASSWORD" if role == APP else "DATABASE_OWNER_PASSWORD"]
    return make_url(url).set(username=role, password=password).render_as_string(hide_password=False)
