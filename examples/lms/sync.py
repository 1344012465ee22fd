"""The nightly sync: everyone, their teams and what they have completed, from the LMS's database: `python sync.py`.

Each table is sent as a full file: what it does not name is removed in Recourse. Where nothing has changed, nothing is
written there. Nothing that is older than a learner's reset comes back by it.
"""

import csv
import io
import sys
import time
from collections.abc import Iterator

import httpx
import settings
import store

TABLES = """
CREATE TABLE IF NOT EXISTS person (id TEXT PRIMARY KEY, email TEXT NOT NULL, name TEXT NOT NULL, team TEXT);
CREATE TABLE IF NOT EXISTS course (id TEXT PRIMARY KEY, code TEXT NOT NULL, title TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS taking (
    person TEXT, course TEXT, progress INTEGER NOT NULL DEFAULT 0, worked_at TEXT, completed_at TEXT, score REAL,
    PRIMARY KEY (person, course));
"""

FILES = {
    "users?full=true": "SELECT id AS external_id, email, name FROM person ORDER BY id",
    "courses": "SELECT id AS external_id, code, title FROM course ORDER BY id",
    "groups?full=true": 'SELECT team AS "group", team AS name, id AS user_external_id FROM person '
    "WHERE team IS NOT NULL ORDER BY team, id",
    "enrolments?full=true": "SELECT course AS course_external_id, person AS user_external_id, progress, "
    "worked_at AS progress_at, completed_at, score FROM taking ORDER BY person, course",
}
BLOCK = 64 * 1024  # characters
PATIENCE = 5  # times that a busy Recourse is asked again
BUSY = (429, 503)


def prepare() -> None:
    """Create the tables that are missing."""
    store.prepare()
    with store.database() as db:
        db.executescript(TABLES)


def sync() -> list[str]:
    """Send every table. Returns what has become of each, in words. Raises `RuntimeError` if one is refused."""
    headers = {"Authorization": f"Bearer {settings.TOKEN}", "Content-Type": "text/csv"}
    with httpx.Client(base_url=settings.RECOURSE, headers=headers, timeout=3600) as client:
        return [f"{what.partition('?')[0]}: {_send(client, what, query)}" for what, query in FILES.items()]


def _send(client: httpx.Client, what: str, query: str) -> str:
    for _ in range(PATIENCE):
        answer = client.post(f"/v1/imports/{what}", content=_lines(query))
        if answer.status_code not in BUSY:
            break
        time.sleep(float(answer.headers.get("Retry-After", 10)))
    said = answer.json()
    if answer.is_error:
        raise RuntimeError(f"{what}: {said.get('detail', answer.text)}")
    parts = [f"{count['new']} new, {count['changed']} changed {kind}" for kind, count in said["counts"].items()]
    parts += [f"{count} {kind} removed" for kind, count in said["removed"].items()]
    parts += [f"{count} ignored ({why.replace('_', ' ')})" for why, count in said["ignored"].items()]
    return ", ".join(parts)


def _lines(query: str) -> Iterator[bytes]:
    """Yields the rows as CSV in UTF-8, some at a time."""
    text = io.StringIO()
    writer = csv.writer(text)
    with store.database() as db:
        rows = db.execute(query)
        writer.writerow([column for column, *_ in rows.description])
        for row in rows:
            writer.writerow(row)
            if text.tell() >= BLOCK:
                yield text.getvalue().encode()
                text.seek(0)
                text.truncate()
        yield text.getvalue().encode()


if __name__ == "__main__":
    prepare()
    try:
        print("\n".join(sync()))  # noqa: T201
    except (RuntimeError, httpx.HTTPError) as refused:
        sys.exit(str(refused))
