"""Delete from the storage what is in the outbox of deletions; find what no row knows of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import CompoundSelect, Text, any_, literal, select, union_all
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from config.settings import settings
from models.files import storage
from models.files.deletions import DELETIONS, FileDeletion, settle
from models.files.files import StoredFile
from models.outbox import Item
from models.records import Certificate
from models.session import transaction
from tasks.outbox.answers import Answer, NotNow, Taken
from tasks.outbox.hands import Hands
from tasks.outbox.waits import EVER_MORE_RARELY

BATCH = 1000  # as many as S3 deletes in one call
SETTLED = timedelta(hours=1)  # younger objects are left alone: another program may be at it

log = structlog.get_logger(__name__)


class Deletions(Hands):
    """The outbox of objects to delete.

    After the commit of whatever wanted them gone: it cannot be undone by this, nor wait for it. What cannot be deleted
    is tried again, ever more rarely, until it is gone: it is somebody's, and was promised to be deleted.
    """

    name = "file_deletion"
    outbox = DELETIONS
    waits = EVER_MORE_RARELY
    gives_up = False
    batch = BATCH

    @classmethod
    def seconds(cls) -> float:
        return 2 * settings().storage_timeout_seconds + 10

    def attempt(self, item: Item) -> Answer:
        return self.attempt_all([item])[0]

    def attempt_all(self, items: Sequence[Item]) -> list[Answer]:
        errors = storage.remove([item.key[0] for item in items])
        return [NotNow(errors[key]) if (key := item.key[0]) in errors else Taken() for item in items]

    def settle(self, session: Session, item: Item, answer: Answer) -> None:
        self.settle_all(session, [item], [answer])

    def settle_all(self, session: Session, items: Sequence[Item], answers: Sequence[Answer]) -> None:
        settle(session, items, [answer.why if isinstance(answer, NotNow) else None for answer in answers])


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
