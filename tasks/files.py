"""Delete from the storage what is in the outbox of deletions; find what no row knows of."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import CompoundSelect, Text, any_, literal, select, union_all
from sqlalchemy.dialects.postgresql import ARRAY

from models import storage
from models.file_deletions import FileDeletion, forget_deleted, note_errors, take_due
from models.files import StoredFile
from models.records import Certificate
from models.session import transaction
from tasks.app import app
from tasks.messages import DELETE_FILES

BATCH = 1000  # as many as S3 deletes in one call
SETTLED = timedelta(hours=1)  # younger objects are left alone: another program may be at it

log = structlog.get_logger(__name__)


@app.task(name=DELETE_FILES)
def delete_files() -> None:
    """Delete the objects that are due. After the commit of whatever wanted them gone: it cannot be undone by this, nor
    wait for it. What cannot be deleted stays in the outbox and is tried again, ever more rarely, until it is gone."""
    while deleted := delete_batch():
        log.info("files_deleted", files=deleted)


def delete_batch() -> int:
    """Delete up to `BATCH` objects that are due. Gives how many it took on, whatever came of it."""
    with transaction() as session:
        taken = take_due(session, BATCH)
    if not taken:
        return 0
    errors = storage.remove(list(taken))  # with no transaction open: the storage may take its time
    with transaction() as session:
        forget_deleted(session, {key: attempt for key, attempt in taken.items() if key not in errors})
        note_errors(session, errors)
    if errors:
        log.warning("files_not_deleted", files=len(errors), error=next(iter(errors.values())), remedy="tried again")
    return len(taken)


@dataclass
class Swept:
    """What a sweep has found."""

    seen: int = 0
    orphans: int = 0
    orphan_bytes: int = 0
    deleted: int = 0


def sweep(*, delete: bool, progress: Callable[[Swept], None] = lambda _: None) -> Swept:
    """Look through the whole storage for objects that no row knows of, and with `delete` delete them.

    There should be none: they come with a database that was restored from an older copy, or from outside. Memory does
    not grow with their number. Raises `StorageUnavailable`.
    """
    swept = Swept()
    before = datetime.now(UTC) - SETTLED
    for some in storage.everything():
        old = {
            one.key: one.size for one in some if one.modified_at < before and not one.key.startswith(storage.JOURNAL)
        }
        orphans = old.keys() - _known(list(old))
        swept.seen += len(some)
        swept.orphans += len(orphans)
        swept.orphan_bytes += sum(old[key] for key in orphans)
        if delete and orphans:
            errors = storage.remove(sorted(orphans))
            swept.deleted += len(orphans) - len(errors)
            log.info("orphans_deleted", files=len(orphans) - len(errors), failed=len(errors))
        progress(swept)
    return swept


def _known(keys: list[str]) -> set[str]:
    wanted = any_(literal(keys, ARRAY(Text)))
    with transaction() as session:
        rows: CompoundSelect[Any] = union_all(
            select(StoredFile.key).where(StoredFile.key == wanted),
            select(Certificate.pdf_key).where(Certificate.pdf_key == wanted),
            select(FileDeletion.key).where(FileDeletion.key == wanted),
        )
        return set(session.scalars(rows))
