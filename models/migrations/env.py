"""How Alembic reaches the database. Run through `recourse database …`."""

from alembic import context

from models import metadata
from models.records import record_kinds
from models.session import engine

CELERY_TABLES = {"celery_taskmeta", "celery_tasksetmeta"}  # Celery makes and changes these itself


record_kinds()  # brings the tables of a team's own into the metadata


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or name not in CELERY_TABLES


with engine().connect() as connection:
    if (connection.dialect.server_version_info or ()) < (18,):
        raise SystemExit("Recourse needs PostgreSQL 18 or newer. Point RECOURSE_DATABASE_URL at one.")
    context.configure(connection=connection, target_metadata=metadata, include_name=_ours, compare_server_default=True)
    with context.begin_transaction():
        # Two deployments that migrate at once take turns; the second finds nothing left to do.
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7242637)")
        context.run_migrations()
