"""Celery's tables; webhook secrets that outlive the secret key."""

import base64
import hashlib
import hmac

import sqlalchemy as sa
from alembic import op

from config.settings import required
from models.migrations.gentle import build_index
from models.sealing import seal

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# As Celery 5.7 makes them itself, for which a role without CREATE would have no right.
CELERY = """
CREATE SEQUENCE IF NOT EXISTS task_id_sequence;
CREATE TABLE IF NOT EXISTS celery_taskmeta (
    id integer PRIMARY KEY, task_id varchar(155) UNIQUE, status varchar(50), result bytea, date_done timestamp,
    traceback text, children bytea, name varchar(155), args bytea, kwargs bytea, worker varchar(155), retries integer,
    queue varchar(155), stamps bytea);
CREATE INDEX IF NOT EXISTS ix_celery_taskmeta_date_done ON celery_taskmeta (date_done);
CREATE SEQUENCE IF NOT EXISTS taskset_id_sequence;
CREATE TABLE IF NOT EXISTS celery_tasksetmeta (
    id integer PRIMARY KEY, taskset_id varchar(155) UNIQUE, result bytea, date_done timestamp);
CREATE INDEX IF NOT EXISTS ix_celery_tasksetmeta_date_done ON celery_tasksetmeta (date_done);
"""

SECRETS = {"webhook_endpoint": b"recourse.webhook\0", "event_source": b"recourse.event-source\0"}


def _keep_the_secrets(table: str, label: bytes) -> None:
    """Until here a secret was made from the secret key and a salt, and changed with the key. It keeps its value."""
    connection = op.get_bind()
    for row, salt in connection.execute(sa.text(f"SELECT id, salt FROM {table}")).all():  # noqa: S608 - our names
        made = hmac.digest(required("secret_key").encode(), label + salt, hashlib.sha256)
        secret = "whsec_" + base64.b64encode(made).decode()
        connection.execute(
            sa.text(f"UPDATE {table} SET sealed_secret = :sealed WHERE id = :id"),  # noqa: S608
            {"sealed": seal(secret), "id": row},
        )


def upgrade() -> None:
    build_index("ix_audit_at", "audit", ["at"])
    for statement in CELERY.split(";"):
        if statement.strip():
            op.execute(statement)
    for table, label in SECRETS.items():
        op.add_column(table, sa.Column("sealed_secret", sa.Text(), nullable=True))
        op.add_column(table, sa.Column("former_secret", sa.Text(), nullable=True))
        op.add_column(table, sa.Column("former_until", sa.DateTime(timezone=True), nullable=True))
        _keep_the_secrets(table, label)
        op.alter_column(table, "sealed_secret", nullable=False)
        op.drop_column(table, "salt")


def downgrade() -> None:
    for table in SECRETS:  # there is no salt that would make the same secret: receivers need new ones
        op.add_column(
            table,
            sa.Column("salt", sa.LargeBinary(), server_default=sa.text("uuid_send(gen_random_uuid())"), nullable=False),
        )
        op.alter_column(table, "salt", server_default=None)
        for column in ("former_until", "former_secret", "sealed_secret"):
            op.drop_column(table, column)
    op.drop_index("ix_audit_at", table_name="audit")
