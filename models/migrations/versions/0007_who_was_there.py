"""Who was there when a reset was previewed: the transactions of enrolments, and what a plan could see of them. Resets
remember how often they were sent again in vain, and how many learners their ledger has."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

IN_FLIGHT = "settled_at IS NULL AND published_at IS NOT NULL"


def upgrade() -> None:
    for table, column in (
        ("enrolment", "assigned_xid"),
        ("enrolment", "completed_xid"),
        ("group_member", "joined_xid"),
    ):
        op.execute(f"ALTER TABLE {table} ADD COLUMN {column} xid8 DEFAULT pg_current_xact_id() NOT NULL")
    op.execute(
        """
        CREATE FUNCTION enrolment_notes_its_transaction() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF new.unassigned_at IS NULL AND old.unassigned_at IS NOT NULL THEN
                new.assigned_xid := pg_current_xact_id();
            END IF;
            IF new.completed_at IS NOT NULL AND new.completed_at IS DISTINCT FROM old.completed_at THEN
                new.completed_xid := pg_current_xact_id();
            END IF;
            RETURN new;
        END $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER notes_its_transaction BEFORE UPDATE OF unassigned_at, completed_at ON enrolment FOR EACH ROW
        WHEN ((new.unassigned_at IS NULL AND old.unassigned_at IS NOT NULL)
              OR (new.completed_at IS NOT NULL AND new.completed_at IS DISTINCT FROM old.completed_at))
        EXECUTE FUNCTION enrolment_notes_its_transaction()
        """
    )
    op.execute("ALTER TABLE reset ADD COLUMN snapshot pg_snapshot")
    op.add_column("reset", sa.Column("sent_in_vain", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("reset", sa.Column("learners", sa.BigInteger(), nullable=True))
    op.execute(
        """
        UPDATE reset SET learners = (SELECT coalesce(sum(s.learners), 0) FROM reset_slice s WHERE s.reset_id = reset.id)
        WHERE state <> 'requested'
        """
    )
    op.create_index("ix_reset_slice_in_flight", "reset_slice", ["reset_id"], postgresql_where=sa.text(IN_FLIGHT))


def downgrade() -> None:
    op.drop_index("ix_reset_slice_in_flight", table_name="reset_slice", postgresql_where=sa.text(IN_FLIGHT))
    op.drop_column("reset", "learners")
    op.drop_column("reset", "sent_in_vain")
    op.drop_column("reset", "snapshot")
    op.execute("DROP FUNCTION enrolment_notes_its_transaction CASCADE")
    op.drop_column("group_member", "joined_xid")
    op.drop_column("enrolment", "completed_xid")
    op.drop_column("enrolment", "assigned_xid")
