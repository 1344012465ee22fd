"""Lists of users by the day that they were added, and of those who are deactivated."""

import sqlalchemy as sa
from alembic import op

from models.migrations.gentle import build_index

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

BY_DAY, NOT_ACTIVE = "ix_user_organization_id_created_at_id", "ix_user_not_active"


def upgrade() -> None:
    build_index(BY_DAY, "user", ["organization_id", "created_at", "id"])
    build_index(NOT_ACTIVE, "user", ["organization_id", "name", "id"], postgresql_where=sa.text("NOT active"))


def downgrade() -> None:
    op.drop_index(NOT_ACTIVE, table_name="user")
    op.drop_index(BY_DAY, table_name="user")
