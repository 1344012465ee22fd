"""Delete the objects in the outbox of deletions, and find objects that no row refers to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import CompoundSelect, Text, any_, literal, select, union_all
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from config.log import logger
from config.settings import settings
from models.files import storage
from models.files.deletions import DELETIONS, FileDeletion, settle
from models.files.files import StoredFile
from models.outbox import Item
from models.records import Certificate
from models.session import transaction
from tasks.outbox.answers import Answer, NotNow, Taken
from tasks.outbox.handler import Handler
from tasks.outbox.waits import EVER_MORE_RARELY

BATCH = 1000  # the maximum that S3 deletes in one call
SETTLED = timedelta(hours=1)  # younger objects are left alone: their row may not be committed yet

log = logger(__name__)


class Deletions(Handler):
    """The outbox of objects to delete.

    Works after the commit of the reset or erasure, which neither waits for it nor fails with it. It never gives up:
    the objects are personal data whose deletion was promised, so attempts continue at growing intervals.
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
    """The result of a sweep."""

    seen: int = 0
    orphans: int = 0
    orphan_bytes: int = 0
    deleted: int = 0


def sweep(*, delete: bool, progress: Callable[[Swept], None] = lambda _: None) -> Swept:
    """Search the whole storage for objects that no row refers to, and with `delete` delete them.

    Such objects appear when an older copy of the database is restored, or when another program writes to the storage.
    Memory use does not grow with their number. Raises `StorageUnavailable`.
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
