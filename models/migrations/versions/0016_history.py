"""History: when each learner was last reset, so that no import brings back what came before; scores of completions."""

import sqlalchemy as sa
from alembic import op

from models.migrations.gentle import add_check

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# By the ledger, slice by slice, so that no learner waits for long. The end of a reset is a little later than the moment
# of each of its learners: rather too much is taken for history than too little.
SLICES = """
SELECT s.reset_id, s.first, s.last, coalesce(r.finished_at, now())
FROM reset_slice s JOIN reset r ON r.id = s.reset_id ORDER BY 4, 1, 2
"""
NOTE = """
UPDATE enrolment e SET reset_at = :at
FROM reset_item i
WHERE i.reset_id = :reset AND i.enrolment_id BETWEEN :first AND :last
  AND i.state IN ('waiting', 'cleared', 'unchanged', 'failed') AND e.id = i.enrolment_id
"""


def upgrade() -> None:
    op.execute("ALTER TABLE enrolment ADD COLUMN IF NOT EXISTS reset_at timestamptz")
    op.execute("ALTER TABLE completion ADD COLUMN IF NOT EXISTS score numeric(5, 2)")
    add_check("ck_completion_score", "completion", "score BETWEEN 0 AND 100")
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        for reset, first, last, at in connection.execute(sa.text(SLICES)).all():
            connection.execute(sa.text(NOTE), {"reset": reset, "first": first, "last": last, "at": at})


def downgrade() -> None:
    op.drop_column("completion", "score")  # with its CHECK
    op.drop_column("enrolment", "reset_at")
