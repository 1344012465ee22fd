"""The journal: write to the storage what an older backup of the database would not know. See `models/journal.py`.

It is stored beside the learners' files, which are at hand when the database is restored, but not restored with it.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from config.log import logger
from config.settings import settings
from models.files import storage
from models.journal import first_entries, forget_entries
from models.refusals.files import StorageUnavailable
from models.session import transaction
from tasks.app import app

BATCH = 1000  # entries per object
MOST_OBJECTS = 100  # per run; the next run continues

log = logger(__name__)


@app.task(name="recourse.keep_journal", send_events=False)
def keep_journal() -> None:
    """Write new entries, and delete those older than any backup. Beat sends it every minute. A repeated or interrupted
    run writes some entries twice, which does no harm."""
    try:
        for _ in range(MOST_OBJECTS):
            if not write_some():
                break
        delete_old()
    except StorageUnavailable:
        log.warning("journal_not_written", remedy="the next run writes it")


def write_some() -> int:
    """Write the oldest entries. Returns how many. Call it outside a transaction, since the storage may be slow."""
    with transaction() as session:
        entries = first_entries(session, BATCH)
    if not entries:
        return 0
    lines = "".join(json.dumps(entry) + "\n" for _, entry in entries)
    storage.write(f"{storage.JOURNAL}{datetime.now(UTC):%Y-%m-%d}/{uuid4()}.ndjson", [lines.encode()])
    with transaction() as session:
        forget_entries(session, [number for number, _ in entries])
    log.info("journal_written", entries=len(entries))
    return len(entries)


def delete_old() -> None:
    """Delete what is older than any backup that could be restored."""
    days = settings().keep_journal_days
    if not days:
        return
    last = datetime.now(UTC) - timedelta(days=days)
    for some in storage.everything(storage.JOURNAL):
        storage.remove([one.key for one in some if one.modified_at < last])


def read_all() -> Iterator[dict[str, list[Any]]]:
    """Yields every entry of the journal. Raises `StorageUnavailable`."""
    for some in storage.everything(storage.JOURNAL):
        for one in some:
            for line in b"".join(storage.read(one.key) or ()).splitlines():
                yield json.loads(line)
