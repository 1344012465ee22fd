"""The LMS's own database: quiz attempts, each under a registration."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import settings

TABLES = """
CREATE TABLE IF NOT EXISTS attempt (
    id INTEGER PRIMARY KEY, registration TEXT NOT NULL, score INTEGER NOT NULL, locked INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS attempt_registration ON attempt (registration);
CREATE TABLE IF NOT EXISTS answered (idempotency_key TEXT PRIMARY KEY, answer TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS planned (key TEXT PRIMARY KEY, plan TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS learner (
    user INTEGER, course TEXT, registration TEXT NOT NULL, PRIMARY KEY (user, course));
"""


@contextmanager
def database() -> Iterator[sqlite3.Connection]:
    """One transaction."""
    connection = sqlite3.connect(settings.DATABASE, timeout=30, isolation_level="IMMEDIATE")
    try:
        with connection:
            yield connection
    finally:
        connection.close()


def prepare() -> None:
    """Create the tables that are missing."""
    with database() as db:
        db.execute("PRAGMA journal_mode = wal")
        db.executescript(TABLES)


def attempt(registration: str, score: int, *, locked: bool = False) -> None:
    """Store a finished attempt."""
    with database() as db:
        db.execute("INSERT INTO attempt (registration, score, locked) VALUES (?, ?, ?)", (registration, score, locked))


def count(learners: Iterable[dict[str, Any]]) -> int:
    """Returns how many attempts a reset of these learners would delete."""
    with database() as db:
        return sum(_attempts(db, learner["old_registration"])[0] for learner in learners)


def clear(request: dict[str, Any]) -> dict[str, Any]:
    """Delete the attempts under the learners' old registrations. A repeated request gets the first answer again."""
    with database() as db:
        key = request["idempotency_key"]
        if found := db.execute("SELECT answer FROM answered WHERE idempotency_key = ?", (key,)).fetchone():
            return dict(json.loads(found[0]))
        answer = {"learners": [_clear(db, learner) for learner in request["learners"]]}
        db.execute("INSERT INTO answered VALUES (?, ?)", (key, json.dumps(answer)))
        return answer


def _clear(db: sqlite3.Connection, learner: dict[str, Any]) -> dict[str, Any]:
    attempts, locked = _attempts(db, learner["old_registration"])
    if locked:
        return {"enrolment": learner["enrolment"], "outcome": "failed", "why": "an attempt is locked by an audit"}
    if not attempts:
        return {"enrolment": learner["enrolment"], "outcome": "nothing"}
    # Nothing else: what the learner has done since is under the new registration.
    db.execute("DELETE FROM attempt WHERE registration = ?", (learner["old_registration"],))
    return {"enrolment": learner["enrolment"], "outcome": "done", "removed": {"attempts": attempts}}


def _attempts(db: sqlite3.Connection, registration: str) -> tuple[int, int]:
    query = "SELECT count(*), coalesce(max(locked), 0) FROM attempt WHERE registration = ?"
    attempts, locked = db.execute(query, (registration,)).fetchone()
    return attempts, locked


def kept_plan(key: str) -> str | None:
    """Returns the plan that was kept under the key."""
    with database() as db:
        found = db.execute("SELECT plan FROM planned WHERE key = ?", (key,)).fetchone()
        return found and str(found[0])


def keep_plan(key: str, plan: str) -> None:
    """Keep a plan that is about to be confirmed."""
    with database() as db:
        db.execute("INSERT INTO planned VALUES (?, ?)", (key, plan))


def note_registrations(course: str, learners: Iterable[dict[str, Any]]) -> None:
    """Store the learners' new registrations, from a webhook. They sort by time, so a late message changes nothing."""
    with database() as db:
        db.executemany(
            "INSERT INTO learner VALUES (?, ?, ?) ON CONFLICT (user, course) DO UPDATE SET "
            "registration = max(registration, excluded.registration)",
            [(learner["user"], course, learner["new_registration"]) for learner in learners],
        )
