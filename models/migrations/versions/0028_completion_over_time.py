"""Daily counts of each course; tokens never have more permissions than they were made with."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # First: whoever signs in with a token would wait as long as the foreign key waits for its lock on `course`.
    op.create_table(
        "course_day",
        sa.Column("course_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("assigned", "completed", "due", "overdue")),
        sa.ForeignKeyConstraint(["course_id"], ["course.id"], name=op.f("fk_course_day_course_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("course_id", "day", name=op.f("pk_course_day")),
    )
    op.create_index(op.f("ix_course_day_day"), "course_day", ["day"])
    op.execute("ALTER TABLE api_token ADD COLUMN IF NOT EXISTS permissions text[]")
    op.execute(
        'UPDATE api_token SET permissions = "user".permissions FROM "user" '
        'WHERE "user".id = api_token.user_id AND api_token.permissions IS NULL'
    )


def downgrade() -> None:
    op.drop_table("course_day")
    op.drop_column("api_token", "permissions")
