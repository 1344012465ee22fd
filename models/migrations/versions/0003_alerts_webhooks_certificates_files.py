"""Files of learners, and the outbox of their deletions."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "file_deletion",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("reset_id", sa.Uuid(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["reset_id"], ["reset.id"], name=op.f("fk_file_deletion_reset_id")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_file_deletion")),
    )
    op.create_index(op.f("ix_file_deletion_next_try_at"), "file_deletion", ["next_try_at"], unique=False)
    op.create_index(op.f("ix_file_deletion_reset_id"), "file_deletion", ["reset_id"], unique=False)
    op.create_table(
        "stored_file",
        sa.Column("registration", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("activity_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("size > 0", name=op.f("ck_stored_file_is_not_empty")),
        sa.ForeignKeyConstraint(["activity_id"], ["activity.id"], name=op.f("fk_stored_file_activity_id")),
        sa.ForeignKeyConstraint(["registration"], ["enrolment.registration"], name=op.f("fk_stored_file_registration")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stored_file")),
        sa.UniqueConstraint("key", name=op.f("uq_stored_file_key")),
    )
    op.create_index(op.f("ix_stored_file_activity_id"), "stored_file", ["activity_id"], unique=False)
    op.create_index(
        op.f("ix_stored_file_registration_activity_id"), "stored_file", ["registration", "activity_id"], unique=False
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_stored_file_registration_activity_id"), table_name="stored_file")
    op.drop_index(op.f("ix_stored_file_activity_id"), table_name="stored_file")
    op.drop_table("stored_file")
    op.drop_index(op.f("ix_file_deletion_reset_id"), table_name="file_deletion")
    op.drop_index(op.f("ix_file_deletion_next_try_at"), table_name="file_deletion")
    op.drop_table("file_deletion")
