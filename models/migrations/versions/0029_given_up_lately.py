"""What was given up lately is found without reading all that ever was."""

import sqlalchemy as sa
from alembic import op

from models.migrations.gentle import build_index

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_webhook_delivery_failed_at": ("webhook_delivery", "tried_at", "state = 'failed'"),
    "ix_participant_request_given_up_at": ("participant_request", "tried_at", "state = 'given_up'"),
    "ix_evidence_part_given_up_at": ("evidence_part", "tried_at", "state = 'given_up'"),
    "ix_announcement_given_up_at": ("announcement", "given_up_at", "given_up_at IS NOT NULL"),
}


def upgrade() -> None:
    for name, (table, column, condition) in INDEXES.items():
        build_index(name, table, [column], postgresql_where=sa.text(condition))


def downgrade() -> None:
    for name, (table, _, _) in INDEXES.items():
        op.drop_index(name, table_name=table)
