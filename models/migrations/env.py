"""Runs Alembic's migrations, for `recourse database …`."""

from alembic import context
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from config.database import migration_connection, migration_url
from config.settings import settings
from models import metadata
from models.migrations.direct import direct_connection
from models.migrations.turns import LOCK_TIMEOUT, patiently, turn
from models.records import record_kinds
from models.versions import (
    OLDEST_POSTGRES,
    SUPPORTED_POSTGRES,
    USUAL_TABLE,
    VERSION_TABLE,
    DatabaseUnfitError,
    server_version,
    stranger,
    version_table,
)

CELERY_TABLES = {"celery_taskmeta", "celery_tasksetmeta"}  # declared by Celery; a test compares them


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        include_name=lambda name, kind, _: kind != "table" or name not in CELERY_TABLES,
        compare_server_default=True,
        transaction_per_migration=True,  # indexes are built concurrently, outside a transaction
        on_version_apply=lambda step, **_: applied(step.up_revision_id),
    )
    with context.begin_transaction():
        context.run_migrations()


def _make_room(connection: Connection) -> None:
    """Prepare the schema. Raises `DatabaseUnfitError` if our tables cannot be created there."""
    major, version = server_version(connection)
    if major < OLDEST_POSTGRES:
        raise DatabaseUnfitError(
            f"This is PostgreSQL {version}, and Recourse needs version {OLDEST_POSTGRES} or newer. Supported are "
            f"{SUPPORTED_POSTGRES}. Point RECOURSE_DATABASE_URL at one of these."
        )
    schema = settings().database_schema
    if schema and not connection.scalar(text("SELECT to_regnamespace(:schema)"), {"schema": schema}):
        connection.execute(text(f"CREATE SCHEMA {schema}"))  # the settings allow letters, digits and _ only
        say(f"Created the schema {schema}.")
    if connection.scalar(text("SELECT current_schema()")) is None:
        raise DatabaseUnfitError(
            "No schema of the search path exists. Set RECOURSE_DATABASE_SCHEMA=recourse to have one created."
        )
    if wrong := stranger(connection, schema_was_chosen=schema is not None):
        raise DatabaseUnfitError(wrong)
    if version_table(connection) == USUAL_TABLE:
        connection.execute(text(f"ALTER TABLE {USUAL_TABLE} RENAME TO {VERSION_TABLE}"))
        connection.execute(
            text(f"ALTER TABLE {VERSION_TABLE} RENAME CONSTRAINT {USUAL_TABLE}_pkc TO {VERSION_TABLE}_pkc")
        )
    connection.commit()


say = context.config.attributes.get("say", lambda _: None)
applied = context.config.attributes.get("applied", lambda _: None)
record_kinds()  # adds the tables of a team's own record kinds to the metadata
engine = create_engine(migration_url(), poolclass=NullPool, connect_args=migration_connection(LOCK_TIMEOUT))
with direct_connection(engine) as connection, turn(connection, say):
    patiently(connection, lambda: _make_room(connection), say)
    patiently(connection, lambda: _migrate(connection), say)
