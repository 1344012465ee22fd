"""Which worker began a slice, and since when no worker reads a queue."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("reset_slice", sa.Column("worker", sa.Text()))
    op.add_column("queue_probe", sa.Column("unread_since", sa.DateTime(timezone=True)))
    op.add_column("queue_probe", sa.Column("no_worker", sa.Boolean(), server_default=sa.text("false"), nullable=False))


def downgrade() -> None:
    op.drop_column("queue_probe", "no_worker")
    op.drop_column("queue_probe", "unread_since")
    op.drop_column("reset_slice", "worker")
