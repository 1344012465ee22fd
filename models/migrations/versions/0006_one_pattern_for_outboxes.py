"""Outboxes in turn by organization, with an end for each item; who works on them; what a learner's webhook tells."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lease",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Uuid(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )

    op.add_column("mail", sa.Column("organization_id", sa.BigInteger(), nullable=True))
    op.execute('UPDATE mail SET organization_id = u.organization_id FROM "user" u WHERE u.id = mail.user_id')
    op.alter_column("mail", "organization_id", nullable=False)
    op.drop_constraint(op.f("fk_mail_user_id"), "mail", type_="foreignkey")
    op.create_foreign_key(
        op.f("fk_mail_user_id"), "mail", "user", ["user_id", "organization_id"], ["id", "organization_id"]
    )
    op.drop_index(op.f("ix_mail_user_id"), table_name="mail")
    op.create_index(op.f("ix_mail_user_id_organization_id"), "mail", ["user_id", "organization_id"])
    op.drop_index("ix_mail_due", table_name="mail")
    op.create_index(
        "ix_mail_due", "mail", ["organization_id", "next_try_at"], postgresql_where=sa.text("state = 'pending'")
    )
    op.create_index("ix_mail_failed", "mail", ["organization_id"], postgresql_where=sa.text("state = 'failed'"))

    op.drop_index("ix_webhook_delivery_due", table_name="webhook_delivery")
    op.create_index(
        "ix_webhook_delivery_due",
        "webhook_delivery",
        ["endpoint_id", "next_try_at", "message_id"],
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_webhook_delivery_failed",
        "webhook_delivery",
        ["endpoint_id"],
        postgresql_where=sa.text("state = 'failed'"),
    )

    op.add_column("announcement", sa.Column("organization_id", sa.BigInteger(), nullable=True))
    op.execute(
        "UPDATE announcement SET organization_id = r.organization_id FROM reset r WHERE r.id = announcement.reset_id"
    )
    op.alter_column("announcement", "organization_id", nullable=False)
    op.add_column("announcement", sa.Column("error", sa.Text(), nullable=True))
    op.add_column("announcement", sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_index(op.f("ix_announcement_next_try_at"), table_name="announcement")
    op.create_index(
        "ix_announcement_due",
        "announcement",
        ["organization_id", "next_try_at"],
        postgresql_where=sa.text("given_up_at IS NULL"),
    )

    op.add_column("certificate", sa.Column("organization_id", sa.BigInteger(), nullable=True))
    op.add_column("certificate", sa.Column("pdf_attempts", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("certificate", sa.Column("pdf_error", sa.Text(), nullable=True))
    op.execute(
        "UPDATE certificate SET organization_id = e.organization_id FROM enrolment e "
        "WHERE e.registration = certificate.registration AND pdf_due_at IS NOT NULL"
    )
    op.execute("UPDATE certificate SET pdf_due_at = NULL WHERE pdf_key IS NOT NULL")
    op.create_check_constraint(
        op.f("ck_certificate_due_in_its_organizations_turn"),
        "certificate",
        "pdf_due_at IS NULL OR organization_id IS NOT NULL",
    )
    op.create_check_constraint(op.f("ck_certificate_made_once"), "certificate", "pdf_key IS NULL OR pdf_due_at IS NULL")
    op.drop_index("ix_certificate_due", table_name="certificate")
    op.create_index(
        "ix_certificate_due",
        "certificate",
        ["organization_id", "pdf_due_at"],
        postgresql_where=sa.text("pdf_due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_certificate_given_up",
        "certificate",
        ["organization_id"],
        postgresql_where=sa.text("pdf_due_at IS NULL AND pdf_error IS NOT NULL"),
    )

    op.add_column(
        "file_deletion",
        sa.Column("folder", sa.Text(), sa.Computed("split_part(key, '/', 1)", persisted=True), nullable=False),
    )
    op.drop_index(op.f("ix_file_deletion_next_try_at"), table_name="file_deletion")
    op.create_index("ix_file_deletion_due", "file_deletion", ["folder", "next_try_at"])

    # What was noted before has no registrations. Who was cleared is in the ledger; resets under way tell of the rest.
    op.execute("DELETE FROM learner_event")
    op.add_column("learner_event", sa.Column("outcome", sa.Text(), nullable=False))
    op.add_column("learner_event", sa.Column("old_registration", sa.Uuid(), nullable=False))
    op.add_column("learner_event", sa.Column("new_registration", sa.Uuid(), nullable=False))


def downgrade() -> None:
    for column in ("new_registration", "old_registration", "outcome"):
        op.drop_column("learner_event", column)
    op.drop_index("ix_file_deletion_due", table_name="file_deletion")
    op.create_index(op.f("ix_file_deletion_next_try_at"), "file_deletion", ["next_try_at"])
    op.drop_column("file_deletion", "folder")
    op.drop_index("ix_certificate_given_up", table_name="certificate")
    op.drop_index("ix_certificate_due", table_name="certificate")
    op.create_index(
        "ix_certificate_due", "certificate", ["pdf_due_at"], postgresql_where=sa.text("pdf_due_at IS NOT NULL")
    )
    op.drop_constraint(op.f("ck_certificate_made_once"), "certificate", type_="check")
    op.drop_constraint(op.f("ck_certificate_due_in_its_organizations_turn"), "certificate", type_="check")
    for column in ("pdf_error", "pdf_attempts", "organization_id"):
        op.drop_column("certificate", column)
    op.drop_index("ix_announcement_due", table_name="announcement")
    op.create_index(op.f("ix_announcement_next_try_at"), "announcement", ["next_try_at"])
    op.execute("DELETE FROM announcement WHERE given_up_at IS NOT NULL")
    for column in ("given_up_at", "error", "organization_id"):
        op.drop_column("announcement", column)
    op.drop_index("ix_webhook_delivery_failed", table_name="webhook_delivery")
    op.drop_index("ix_webhook_delivery_due", table_name="webhook_delivery")
    op.create_index(
        "ix_webhook_delivery_due",
        "webhook_delivery",
        ["next_try_at"],
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.drop_index("ix_mail_failed", table_name="mail")
    op.drop_index("ix_mail_due", table_name="mail")
    op.create_index("ix_mail_due", "mail", ["next_try_at"], postgresql_where=sa.text("state = 'pending'"))
    op.drop_index(op.f("ix_mail_user_id_organization_id"), table_name="mail")
    op.create_index(op.f("ix_mail_user_id"), "mail", ["user_id"])
    op.drop_constraint(op.f("fk_mail_user_id"), "mail", type_="foreignkey")
    op.create_foreign_key(op.f("fk_mail_user_id"), "mail", "user", ["user_id"], ["id"])
    op.drop_column("mail", "organization_id")
    op.drop_table("lease")
