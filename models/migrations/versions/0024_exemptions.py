"""Exemptions: learners whom the resets of a course leave out."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "exemption",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("course_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True)),
        sa.Column("made_by", sa.BigInteger()),
        sa.Column("maker", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("ended_by", sa.Text()),
        sa.CheckConstraint("length(trim(reason)) > 0", name=op.f("ck_exemption_reason_is_given")),
        *(
            sa.ForeignKeyConstraint(
                [column, "organization_id"],
                [f"{table}.id", f"{table}.organization_id"],
                name=op.f(f"fk_exemption_{column}_organization_id"),
            )
            for column, table in (("course_id", "course"), ("user_id", "user"), ("made_by", "user"))
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exemption")),
    )
    for columns in (
        ("user_id", "organization_id", "course_id"),
        ("course_id", "organization_id"),
        ("made_by", "organization_id"),
    ):
        op.create_index(op.f(f"ix_exemption_{'_'.join(columns)}"), "exemption", [*columns])
    op.create_index(
        "uq_exemption_open",
        "exemption",
        ["course_id", "user_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("exemption")
