"""What operators look at: counted recoveries, beat's heartbeat, the trace of a reset, alerts by time."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "heartbeat",
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("part", name=op.f("pk_heartbeat")),
    )
    op.add_column("reset", sa.Column("recoveries", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("reset", sa.Column("traceparent", sa.Text(), nullable=True))
    op.create_index(op.f("ix_notification_created_at"), "notification", ["created_at"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_notification_created_at"), table_name="notification")
    op.drop_column("reset", "traceparent")
    op.drop_column("reset", "recoveries")
    op.drop_table("heartbeat")
