"""Databases beside the usual one, and the command line on them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import make_url

from tests.conftest import PROJECT, libpq


@contextmanager
def made_database(url: str, name: str) -> Iterator[str]:
    """An empty database beside that of `url`. Gives its URL."""
    with psycopg.connect(libpq(url), dbname="postgres", autocommit=True) as administration:
        administration.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield make_url(url).set(database=name).render_as_string(hide_password=False)
        finally:
            administration.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def recourse_on(url: str, *words: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run the command line on this database."""
    with started_on(url, *words, **settings) as process:
        said, complained = process.communicate(timeout=120)
    return subprocess.CompletedProcess(words, process.returncode, said, complained)


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
    """What is in the database."""
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        answer = connection.execute(query.encode())
        return answer.fetchall() if answer.description else []
