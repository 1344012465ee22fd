"""The journal: bring into the storage what an old backup of the database would not know. See `models/journal.py`.

It lies beside the learners' files: whoever restores the database has those at hand, and does not restore them with it.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import structlog

from config.settings import settings
from models.files import storage
from models.journal import first_entries, forget_entries
from models.refusals.files import StorageUnavailable
from models.session import transaction
from tasks.app import app

BATCH = 1000  # entries in an object
MOST_OBJECTS = 100  # a run; the next goes on

log = structlog.get_logger(__name__)


@app.task(name="recourse.keep_journal", send_events=False)
def keep_journal() -> None:
    """Write what is noted, and delete what is older than any backup. Runs every minute by beat; a run that is
    doubled or dies halfway writes something twice, which says no more than once."""
    try:
        for _ in range(MOST_OBJECTS):
            if not write_some():
                break
        delete_old()
    except StorageUnavailable:
        log.warning("journal_not_written", remedy="the next run writes it")


def write_some() -> int:
    """Write the first entries. Gives how many. With no transaction open: the storage may take its time."""
    with transaction() as session:
        entries = first_entries(session, BATCH)
    if not entries:
        return 0
    lines = "".join(json.dumps(said) + "\n" for _, said in entries)
    storage.write(f"{storage.JOURNAL}{datetime.now(UTC):%Y-%m-%d}/{uuid4()}.ndjson", [lines.encode()])
    with transaction() as session:
        forget_entries(session, [number for number, _ in entries])
    log.info("journal_written", entries=len(entries))
    return len(entries)


def delete_old() -> None:
    """Delete what is older than any backup that would be restored."""
    days = settings().keep_journal_days
    if not days:
        return
    last = datetime.now(UTC) - timedelta(days=days)
    for some in storage.everything(storage.JOURNAL):
        storage.remove([one.key for one in some if one.modified_at < last])


def read_all() -> Iterator[dict[str, list[Any]]]:
    """Everything that the journal says. Raises `StorageUnavailable`."""
    for some in storage.everything(storage.JOURNAL):
        for one in some:
            for line in b"".join(storage.read(one.key) or ()).splitlines():
                yield json.loads(line)
