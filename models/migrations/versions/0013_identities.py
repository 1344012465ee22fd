"""External ids of users, courses and groups: the ids that the platform beside us knows them by."""

import sqlalchemy as sa
from alembic import op

from models.migrations.gentle import build_index

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLES = ("user", "course", "user_group")


def upgrade() -> None:
    for table in TABLES:
        op.execute(f'ALTER TABLE "{table}" ADD COLUMN IF NOT EXISTS external_id text')
        build_index(
            f"uq_{table}_external_id",
            table,
            ["organization_id", "external_id"],
            unique=True,
            postgresql_where=sa.text("external_id IS NOT NULL"),
        )


def downgrade() -> None:
    for table in TABLES:  # each with its index
        op.drop_column(table, "external_id")
