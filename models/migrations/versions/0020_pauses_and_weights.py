"""Pauses of resets, organizations and everything; the weight of an organization; webhooks about pauses."""

import sqlalchemy as sa
from alembic import op

from models.migrations.gentle import add_check

revision = "0020"
down_revision = "0018"
branch_labels = None
depends_on = None

BEFORE = ("reset.started", "reset.completed", "reset.failed", "learner.reset")
AFTER = ("reset.started", "reset.completed", "reset.failed", "reset.paused", "reset.resumed", "learner.reset")


def upgrade() -> None:
    op.execute("ALTER TABLE organization ADD COLUMN IF NOT EXISTS weight bigint DEFAULT 1 NOT NULL")
    op.execute("ALTER TABLE reset ADD COLUMN IF NOT EXISTS expected bigint")
    add_check("ck_organization_weight", "organization", "weight BETWEEN 1 AND 10")
    _allow(AFTER)
    _make_pause()


def _allow(events: tuple[str, ...]) -> None:
    op.execute("ALTER TABLE webhook_message DROP CONSTRAINT IF EXISTS ck_webhook_message_event")
    listed = ", ".join(f"'{event}'" for event in events)
    add_check("ck_webhook_message_event", "webhook_message", f"event IN ({listed})")


def _make_pause() -> None:
    op.create_table(
        "pause",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("organization_id", sa.BigInteger()),
        sa.Column("reset_id", sa.Uuid()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("paused_by", sa.BigInteger()),
        sa.Column("pauser", sa.Text(), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "reset_id IS NULL OR organization_id IS NOT NULL", name=op.f("ck_pause_a_reset_has_its_organization")
        ),
        sa.CheckConstraint("length(trim(reason)) > 0", name=op.f("ck_pause_reason_is_given")),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_pause_organization_id")),
        sa.ForeignKeyConstraint(["reset_id"], ["reset.id"], name=op.f("fk_pause_reset_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["paused_by", "organization_id"],
            ["user.id", "user.organization_id"],
            name=op.f("fk_pause_paused_by_organization_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pause")),
    )
    op.create_index(
        "uq_pause_scope",
        "pause",
        ["organization_id", "reset_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_index(op.f("ix_pause_reset_id"), "pause", ["reset_id"])
    op.create_index(op.f("ix_pause_paused_by_organization_id"), "pause", ["paused_by", "organization_id"])


def downgrade() -> None:
    op.drop_table("pause")
    op.execute("DELETE FROM webhook_message WHERE event IN ('reset.paused', 'reset.resumed')")
    _allow(BEFORE)
    op.drop_column("reset", "expected")
    op.drop_column("organization", "weight")  # with its CHECK
