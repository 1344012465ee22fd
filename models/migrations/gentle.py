"""Changing tables that are in use, without making anyone wait.

Migrations after the baseline build indexes and add constraints only with these functions; `recourse database check`
enforces it. Call them first in a migration, since they end its transaction: an interrupted migration starts again, and
they skip what is already done.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

_NAME = r'(?:IF NOT EXISTS )?(?:[\w"]+\.)?"?(\w+)"?'
_CREATED = re.compile(rf"\s*CREATE (?:UNLOGGED )?TABLE {_NAME}", re.IGNORECASE)
_INDEX = re.compile(
    r'\s*CREATE (?:UNIQUE )?INDEX\b(?! CONCURRENTLY).*?\bON (?:ONLY )?"?(\w+)"?', re.IGNORECASE | re.DOTALL
)
_CONSTRAINT = re.compile(
    r'\s*ALTER TABLE (?:ONLY )?(?:IF EXISTS )?"?(\w+)"? ADD (?:CONSTRAINT \S+ )?(UNIQUE|PRIMARY KEY|CHECK|FOREIGN KEY)',
    re.IGNORECASE,
)
_WITHOUT_WAITING = re.compile(r"USING INDEX|NOT VALID", re.IGNORECASE)


def build_index(name: str, table: str, columns: Sequence[str | sa.ColumnElement[Any]], **options: Any) -> None:
    """Build an index without blocking writes. An index that an interrupted migration left invalid is built again."""
    with op.get_context().autocommit_block():
        # It waits for earlier transactions, but no one waits for it, so it needs no time limit.
        op.execute("SET lock_timeout TO 0")
        half_built = sa.text("SELECT NOT indisvalid FROM pg_index WHERE indexrelid = to_regclass(quote_ident(:name))")
        if op.get_bind().scalar(half_built, {"name": name}):
            op.drop_index(name, table_name=table, postgresql_concurrently=True)
        op.create_index(name, table, [*columns], postgresql_concurrently=True, if_not_exists=True, **options)
        op.execute("RESET lock_timeout")


def add_unique(name: str, table: str, columns: Sequence[str]) -> None:
    """Add a unique constraint; its index is built without blocking writes."""
    if not _is_there(name):
        build_index(name, table, columns, unique=True)
        op.execute(f'ALTER TABLE "{table}" ADD CONSTRAINT {name} UNIQUE USING INDEX {name}')


def add_check(name: str, table: str, condition: str) -> None:
    """Add a CHECK. It applies to new rows at once, and is then validated for existing rows without blocking writes."""
    if not _is_there(name):
        op.create_check_constraint(op.f(name), table, condition, postgresql_not_valid=True)
    _validate(name, table)


def add_foreign_key(name: str, table: str, target: str, columns: Sequence[str], targets: Sequence[str]) -> None:
    """Add a foreign key in the same way as `add_check`."""
    if not _is_there(name):
        op.create_foreign_key(op.f(name), table, target, [*columns], [*targets], postgresql_not_valid=True)
    _validate(name, table)


def _is_there(constraint: str) -> bool:
    query = "SELECT count(*) FROM pg_constraint WHERE conname = :name AND connamespace = current_schema()::regnamespace"
    return bool(op.get_bind().scalar(sa.text(query), {"name": constraint}))


def _validate(name: str, table: str) -> None:
    with op.get_context().autocommit_block():  # releases the lock of the ALTER TABLE before the validation
        op.execute("SET lock_timeout TO 0")
        op.execute(f'ALTER TABLE "{table}" VALIDATE CONSTRAINT {name}')
        op.execute("RESET lock_timeout")


def stopping(statements: Iterable[str]) -> list[str]:
    """Returns the statements of a migration that block the writes to a table while all of it is read.

    Tables that the migration itself creates do not count.
    """
    own: set[str] = set()
    found = []
    for statement in statements:
        if made := _CREATED.match(statement):
            own.add(made[1])
        changed = _INDEX.match(statement) or _CONSTRAINT.match(statement)
        if changed and changed[1] not in own and not _WITHOUT_WAITING.search(statement):
            found.append(" ".join(statement.split()))
    return found
