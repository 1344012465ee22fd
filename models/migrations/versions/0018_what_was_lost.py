"""What was lost: when each slice was begun, how often in vain, and how far each queue was read."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE reset_slice ADD COLUMN IF NOT EXISTS begun_at timestamptz")
    op.execute("ALTER TABLE reset_slice ADD COLUMN IF NOT EXISTS in_vain bigint DEFAULT 0 NOT NULL")
    op.create_table(
        "queue_probe",
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_in_vain", sa.BigInteger(), nullable=False),
        sa.Column("read_up_to", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("queue", name=op.f("pk_queue_probe")),
        if_not_exists=True,
    )


def downgrade() -> None:
    op.drop_table("queue_probe")
    op.drop_column("reset_slice", "in_vain")
    op.drop_column("reset_slice", "begun_at")
