"""Events can name persons; rules can have names."""

from alembic import op

from models.migrations.gentle import add_check

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE training_event ADD COLUMN IF NOT EXISTS user_ids bigint[]")
    op.execute("ALTER TABLE retraining_rule ADD COLUMN IF NOT EXISTS name text")
    add_check("ck_training_event_group_or_persons", "training_event", "group_id IS NULL OR user_ids IS NULL")


def downgrade() -> None:
    op.drop_column("training_event", "user_ids")  # with its CHECK
    op.drop_column("retraining_rule", "name")
