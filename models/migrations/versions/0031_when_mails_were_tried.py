"""When e-mails and documents of certificates were last tried, so that it is known how many were given up lately; how
many learners a preview showed stands once."""

import sqlalchemy as sa
from alembic import op

from models.migrations.gentle import build_index

revision = "0031"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE mail ADD COLUMN IF NOT EXISTS tried_at timestamptz")
    op.execute("ALTER TABLE certificate ADD COLUMN IF NOT EXISTS pdf_tried_at timestamptz")
    build_index("ix_mail_failed_at", "mail", ["tried_at"], postgresql_where=sa.text("state = 'failed'"))
    build_index(
        "ix_certificate_given_up_at",
        "certificate",
        ["pdf_tried_at"],
        postgresql_where=sa.text("pdf_due_at IS NULL AND pdf_error IS NOT NULL"),
    )
    op.execute("ALTER TABLE reset DROP COLUMN IF EXISTS expected")  # last: from here on, its readers wait


def downgrade() -> None:
    op.drop_column("certificate", "pdf_tried_at")  # with their indexes
    op.drop_column("mail", "tried_at")
    op.add_column("reset", sa.Column("expected", sa.BigInteger()))
