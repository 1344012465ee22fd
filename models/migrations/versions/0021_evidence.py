"""Evidence of resets: the keys that sign it, the organizations' stores, and its parts; what a preview showed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from models.migrations.gentle import add_check

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE reset ADD COLUMN IF NOT EXISTS shown jsonb")
    op.execute("ALTER TABLE reset ADD COLUMN IF NOT EXISTS evidence boolean DEFAULT false NOT NULL")
    op.execute("ALTER TABLE reset_slice ADD COLUMN IF NOT EXISTS held boolean DEFAULT false NOT NULL")
    op.execute("ALTER TABLE reset_slice ADD COLUMN IF NOT EXISTS evidence_part_id uuid")
    # An older release, which does not know of evidence, cannot send these.
    add_check("ck_reset_slice_held_is_not_sent", "reset_slice", "NOT held OR published_at IS NULL")
    op.create_table(
        "evidence_key",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("sealed_secret", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "(sealed_secret IS NULL) = (retired_at IS NOT NULL)", name=op.f("ck_evidence_key_retired_cannot_sign")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence_key")),
    )
    op.create_index(
        "uq_evidence_key_signs",
        "evidence_key",
        [sa.literal_column("(retired_at IS NULL)")],
        unique=True,
        postgresql_where=sa.text("retired_at IS NULL"),
    )
    op.create_table(
        "evidence_store",
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text()),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("access_key_id", sa.Text()),
        sa.Column("sealed_secret", sa.Text()),
        sa.Column("lock_days", sa.BigInteger()),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("lock_days BETWEEN 1 AND 36500", name=op.f("ck_evidence_store_lock_days")),
        sa.CheckConstraint(
            "(access_key_id IS NULL) = (sealed_secret IS NULL)", name=op.f("ck_evidence_store_key_has_its_secret")
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_evidence_store_organization_id")
        ),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_evidence_store")),
    )
    _make_part()


def _make_part() -> None:
    op.create_table(
        "evidence_part",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("reset_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("lane", sa.BigInteger(), nullable=False),
        sa.Column("members", postgresql.ARRAY(sa.BigInteger()), server_default="{}", nullable=False),
        sa.Column("fingerprints", postgresql.ARRAY(sa.LargeBinary()), server_default="{}", nullable=False),
        sa.Column("state", sa.String(32), server_default="waiting", nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True)),
        sa.Column("outcome", sa.Text()),
        sa.Column("object", sa.Text()),
        sa.Column("sha256", sa.Text()),
        sa.CheckConstraint("kind IN ('request', 'learners', 'summary')", name=op.f("ck_evidence_part_kind")),
        sa.CheckConstraint(
            "state IN ('waiting', 'written', 'given_up', 'withdrawn')", name=op.f("ck_evidence_part_state")
        ),
        sa.CheckConstraint(
            "(state = 'written') = (object IS NOT NULL AND sha256 IS NOT NULL)",
            name=op.f("ck_evidence_part_written_says_where"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_evidence_part_organization_id")
        ),
        sa.ForeignKeyConstraint(["reset_id"], ["reset.id"], name=op.f("fk_evidence_part_reset_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence_part")),
    )
    op.create_index(op.f("ix_evidence_part_organization_id"), "evidence_part", ["organization_id"])
    op.create_index(op.f("ix_evidence_part_reset_id_state"), "evidence_part", ["reset_id", "state"])
    op.create_index(
        "ix_evidence_part_due",
        "evidence_part",
        ["lane", "next_try_at", "id"],
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "ix_evidence_part_given_up", "evidence_part", ["lane"], postgresql_where=sa.text("state = 'given_up'")
    )


def downgrade() -> None:
    op.drop_table("evidence_part")
    op.drop_table("evidence_store")
    op.drop_table("evidence_key")
    op.drop_constraint(op.f("ck_reset_slice_held_is_not_sent"), "reset_slice")
    for column in ("evidence_part_id", "held"):
        op.drop_column("reset_slice", column)
    for column in ("evidence", "shown"):
        op.drop_column("reset", column)
