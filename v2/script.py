"""A DBA's script: `script.sql`, run over the same tables."""

import time
from pathlib import Path

import psycopg

from benchmarks.outcome import Measured, outcome
from benchmarks.stage import Stage, Target, ask
from models.session import engine

SCRIPT = Path(__file__).with_suffix(".sql").read_bytes()


def run(stage: Stage, target: Target, warm_up: Target) -> Measured:
    """Reset the target's course in one transaction."""
    with stage.clone():
        _reset(warm_up)
        stage.checkpoint()
        seconds = _reset(target)
        return Measured(seconds, seconds, outcome(stage.filled_at))


def _reset(target: Target) -> float:
    reset_id, course_id = ask(target)
    with engine().connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        begun = time.perf_counter()
        # A cursor that puts the values in by itself can send the whole script at once.
        psycopg.ClientCursor(driver).execute(SCRIPT, {"reset": reset_id, "course": course_id})
        return time.perf_counter() - begun
