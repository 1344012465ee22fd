"""The same script for a DBA who guarantees nothing: whatever refuses writes under an old registration is dropped.

What that is, the database says, so that this holds for any fence: the foreign keys that have to do with a
registration, and every trigger on the enrolments and on the records.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import text

from benchmarks.contenders.contender import Contender, Took
from benchmarks.contenders.script import started as script
from benchmarks.target import Target
from models.records import record_kinds
from models.session import transaction

FENCED = "SELECT CAST(name AS regclass) FROM unnest(CAST(:tables AS text[])) name"
FOREIGN_KEYS = f"""
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', CAST(k.conrelid AS regclass), k.conname)
FROM pg_constraint k
WHERE k.contype = 'f' AND EXISTS (
    SELECT FROM pg_attribute a WHERE a.attname = 'registration'
    AND (a.attrelid = k.confrelid AND a.attnum = ANY(k.confkey)
         OR a.attrelid = k.conrelid AND a.attnum = ANY(k.conkey) AND k.conrelid IN ({FENCED})))
"""
TRIGGERS = f"""
SELECT format('DROP TRIGGER %I ON %s', t.tgname, CAST(t.tgrelid AS regclass))
FROM pg_trigger t WHERE NOT t.tgisinternal AND t.tgrelid IN ({FENCED})
"""


@contextmanager
def started() -> Iterator[Callable[[Target], Took]]:
    """Drop the fence, then connect as the script does."""
    drop_fence()
    with script() as reset:
        yield reset


def drop_fence() -> list[str]:
    """Drop the fence of the run's database. Returns the statements that did it."""
    tables = ["enrolment", *(kind.kind() for kind in record_kinds())]
    with transaction() as session:
        statements = [
            str(statement)
            for query in (FOREIGN_KEYS, TRIGGERS)
            for statement in session.scalars(text(query), {"tables": tables})
        ]
        for statement in statements:
            session.execute(text(statement))
    return statements


BARE_SCRIPT = Contender("bare_script", "Script without a fence", started)
