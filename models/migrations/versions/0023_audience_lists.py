"""Audience lists: learners by name, up to 100,000, as rows; who completed the course lately can be left out."""

import sqlalchemy as sa
from alembic import op

from models.migrations.gentle import add_check, add_foreign_key, build_index

revision = "0023"
down_revision = "0021"
branch_labels = None
depends_on = None

AUDIENCES = ("assigned", "completed", "users", "group")
OF_AUDIENCES = ("reset", "retraining_rule")
LISTS = "(audience = 'list') = (list_id IS NOT NULL)"


def upgrade() -> None:
    if not sa.inspect(op.get_bind()).has_table("audience_list"):
        _make_lists()
    op.execute("ALTER TABLE reset ADD COLUMN IF NOT EXISTS list_id uuid")
    op.execute("ALTER TABLE reset ADD COLUMN IF NOT EXISTS skip_completed_days bigint")
    for table in OF_AUDIENCES:
        _allow(table, (*AUDIENCES, "list"))
    where = sa.text("list_id IS NOT NULL")
    build_index("uq_reset_list_id", "reset", ["list_id"], unique=True, postgresql_where=where)
    add_foreign_key("fk_reset_list_id", "reset", "audience_list", ["list_id"], ["id"])
    add_check("ck_reset_list_is_named", "reset", LISTS)
    add_check("ck_reset_skip_completed_days_is_positive", "reset", "skip_completed_days > 0")


def _allow(table: str, audiences: tuple[str, ...]) -> None:
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS ck_{table}_audience")
    listed = ", ".join(f"'{one}'" for one in audiences)
    add_check(f"ck_{table}_audience", table, f"audience IN ({listed})")


def _make_lists() -> None:
    figures = ("lines", "learners", "unknown", "unassigned", "doubled")
    op.create_table(
        "audience_list",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("course_id", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.BigInteger()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True)),
        *(sa.Column(name, sa.BigInteger(), server_default="0", nullable=False) for name in figures),
        sa.ForeignKeyConstraint(
            ["course_id", "organization_id"],
            ["course.id", "course.organization_id"],
            name=op.f("fk_audience_list_course_id_organization_id"),
        ),
        sa.ForeignKeyConstraint(
            ["made_by", "organization_id"],
            ["user.id", "user.organization_id"],
            name=op.f("fk_audience_list_made_by_organization_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audience_list")),
    )
    for column in ("course_id", "made_by"):
        name = f"ix_audience_list_{column}_organization_id"
        op.create_index(op.f(name), "audience_list", [column, "organization_id"])
    where = sa.text("confirmed_at IS NULL")
    op.create_index("ix_audience_list_unconfirmed", "audience_list", ["created_at"], postgresql_where=where)
    op.create_table(
        "audience_list_learner",
        sa.Column("list_id", sa.Uuid(), nullable=False),
        sa.Column("enrolment_id", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("list_id", "enrolment_id", name=op.f("pk_audience_list_learner")),
    )
    op.create_table(
        "audience_list_line",
        sa.Column("list_id", sa.Uuid(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("problem", sa.String(32), nullable=False),
        sa.Column("first", sa.BigInteger()),
        sa.CheckConstraint(
            "problem IN ('unknown', 'unassigned', 'doubled')", name=op.f("ck_audience_list_line_problem")
        ),
        sa.ForeignKeyConstraint(["list_id"], ["audience_list.id"], name=op.f("fk_audience_list_line_list_id")),
        sa.PrimaryKeyConstraint("list_id", "line", name=op.f("pk_audience_list_line")),
    )


def downgrade() -> None:
    for table in OF_AUDIENCES:
        _allow(table, AUDIENCES)
    op.drop_column("reset", "skip_completed_days")  # with their CHECKs, index and foreign key
    op.drop_column("reset", "list_id")
    for table in ("audience_list_line", "audience_list_learner", "audience_list"):
        op.drop_table(table)
