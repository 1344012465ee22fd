"""A DBA's script: `script.sql`, run over the same tables."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from benchmarks.asked import ask
from benchmarks.contenders.contender import Contender, Took, at_once
from benchmarks.target import Target

SCRIPT = Path(__file__).with_suffix(".sql").read_bytes()


@contextmanager
def started() -> Iterator[Callable[[Target], Took]]:
    """Connect to the database, as `psql` would."""
    with psycopg.connect(autocommit=True) as connection:

        def reset(target: Target) -> Took:
            asked = ask(target)
            begun = time.perf_counter()
            # A cursor that puts the values in by itself can send the whole script at once.
            values = {"reset": asked.reset_id, "course": asked.course_id}
            psycopg.ClientCursor(connection).execute(SCRIPT, values)
            return at_once(time.perf_counter() - begun)

        yield reset


SCRIPT_SQL = Contender("script", "Script", started)
