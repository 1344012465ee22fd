"""Files of learners; e-mails and how users want to be alerted; certificates as documents; webhooks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "file_deletion",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("reset_id", sa.Uuid(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["reset_id"], ["reset.id"], name=op.f("fk_file_deletion_reset_id")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_file_deletion")),
    )
    op.create_index(op.f("ix_file_deletion_next_try_at"), "file_deletion", ["next_try_at"], unique=False)
    op.create_index(op.f("ix_file_deletion_reset_id"), "file_deletion", ["reset_id"], unique=False)
    op.create_table(
        "stored_file",
        sa.Column("registration", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("activity_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("size > 0", name=op.f("ck_stored_file_is_not_empty")),
        sa.ForeignKeyConstraint(["activity_id"], ["activity.id"], name=op.f("fk_stored_file_activity_id")),
        sa.ForeignKeyConstraint(["registration"], ["enrolment.registration"], name=op.f("fk_stored_file_registration")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stored_file")),
        sa.UniqueConstraint("key", name=op.f("uq_stored_file_key")),
    )
    op.create_index(op.f("ix_stored_file_activity_id"), "stored_file", ["activity_id"], unique=False)
    op.create_index(
        op.f("ix_stored_file_registration_activity_id"), "stored_file", ["registration", "activity_id"], unique=False
    )
    op.add_column("user", sa.Column("mail_on", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.create_table(
        "alert_preference",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("course_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "level",
            sa.Enum("all", "inbox", "none", name="level", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["course_id"], ["course.id"], name=op.f("fk_alert_preference_course_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_alert_preference_user_id")),
        sa.PrimaryKeyConstraint("user_id", "course_id", name=op.f("pk_alert_preference")),
    )
    op.create_index(op.f("ix_alert_preference_course_id"), "alert_preference", ["course_id"], unique=False)
    op.create_table(
        "mail",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "course_assigned",
                "reset_digest",
                "retraining_ahead",
                "rule_waits",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("bundle", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "pending",
                "sent",
                "suppressed",
                "failed",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            server_default="pending",
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unsure", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name=op.f("ck_mail_sent_has_its_moment")),
        sa.CheckConstraint(
            "(state IN ('suppressed', 'failed')) = (reason IS NOT NULL)", name=op.f("ck_mail_not_sent_says_why")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_mail_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail")),
    )
    op.create_index(op.f("ix_mail_user_id"), "mail", ["user_id"], unique=False)
    op.create_index("ix_mail_due", "mail", ["next_try_at"], unique=False, postgresql_where=sa.text("state = 'pending'"))
    op.create_index(
        "uq_mail_gathering",
        "mail",
        ["user_id", "bundle"],
        unique=True,
        postgresql_where=sa.text("state = 'pending' AND attempts = 0"),
    )
    op.create_table(
        "mail_alert",
        sa.Column("notification_id", sa.BigInteger(), nullable=False),
        sa.Column("mail_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["mail_id"], ["mail.id"], name=op.f("fk_mail_alert_mail_id")),
        sa.ForeignKeyConstraint(["notification_id"], ["notification.id"], name=op.f("fk_mail_alert_notification_id")),
        sa.PrimaryKeyConstraint("notification_id", name=op.f("pk_mail_alert")),
    )
    op.create_index(op.f("ix_mail_alert_mail_id"), "mail_alert", ["mail_id"], unique=False)
    op.create_table(
        "announcement",
        sa.Column("reset_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["reset_id"], ["reset.id"], name=op.f("fk_announcement_reset_id")),
        sa.PrimaryKeyConstraint("reset_id", "channel", name=op.f("pk_announcement")),
    )
    op.create_index(op.f("ix_announcement_next_try_at"), "announcement", ["next_try_at"], unique=False)
    op.add_column("certificate", sa.Column("pdf_due_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("certificate", sa.Column("pdf_key", sa.Text(), nullable=True))
    op.create_unique_constraint(op.f("uq_certificate_pdf_key"), "certificate", ["pdf_key"])
    op.create_index(
        "ix_certificate_due",
        "certificate",
        ["pdf_due_at"],
        unique=False,
        postgresql_where=sa.text("pdf_due_at IS NOT NULL"),
    )
    op.create_table(
        "superseded_serial",
        sa.Column("serial_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("serial_hash", name=op.f("pk_superseded_serial")),
    )
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_why", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(disabled_at IS NULL) = (disabled_why IS NULL)", name=op.f("ck_webhook_endpoint_disabled_says_why")
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_webhook_endpoint_organization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoint")),
    )
    op.create_index(op.f("ix_webhook_endpoint_organization_id"), "webhook_endpoint", ["organization_id"], unique=False)
    op.create_table(
        "webhook_message",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "event",
            sa.Enum(
                "reset.started",
                "reset.completed",
                "reset.failed",
                "learner.reset",
                name="event",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("reset_id", sa.Uuid(), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_webhook_message_organization_id")
        ),
        sa.ForeignKeyConstraint(["reset_id"], ["reset.id"], name=op.f("fk_webhook_message_reset_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_message")),
    )
    op.create_index(op.f("ix_webhook_message_created_at"), "webhook_message", ["created_at"], unique=False)
    op.create_index(
        op.f("ix_webhook_message_organization_id_created_at"),
        "webhook_message",
        ["organization_id", "created_at"],
        unique=False,
    )
    op.create_index(op.f("ix_webhook_message_reset_id"), "webhook_message", ["reset_id"], unique=False)
    op.create_table(
        "webhook_delivery",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "pending", "delivered", "failed", name="state", native_enum=False, create_constraint=True, length=32
            ),
            server_default="pending",
            nullable=False,
        ),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'delivered') = (delivered_at IS NOT NULL)",
            name=op.f("ck_webhook_delivery_delivered_has_its_moment"),
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["webhook_endpoint.id"],
            name=op.f("fk_webhook_delivery_endpoint_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["webhook_message.id"], name=op.f("fk_webhook_delivery_message_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("message_id", "endpoint_id", name=op.f("pk_webhook_delivery")),
    )
    op.create_index(
        "ix_webhook_delivery_due",
        "webhook_delivery",
        ["next_try_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        op.f("ix_webhook_delivery_endpoint_id_message_id"),
        "webhook_delivery",
        ["endpoint_id", "message_id"],
        unique=False,
    )
    op.create_table(
        "learner_event",
        sa.Column("reset_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["reset_id"], ["reset.id"], name=op.f("fk_learner_event_reset_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_learner_event_user_id")),
        sa.PrimaryKeyConstraint("reset_id", "user_id", name=op.f("pk_learner_event")),
    )
    op.create_index(op.f("ix_learner_event_user_id"), "learner_event", ["user_id"], unique=False)


def downgrade() -> None:
    op.drop_table("learner_event")
    op.drop_table("webhook_delivery")
    op.drop_table("webhook_message")
    op.drop_table("webhook_endpoint")
    op.drop_table("superseded_serial")
    op.drop_column("certificate", "pdf_key")
    op.drop_column("certificate", "pdf_due_at")
    op.drop_table("announcement")
    op.drop_table("mail_alert")
    op.drop_table("mail")
    op.drop_table("alert_preference")
    op.drop_column("user", "mail_on")
    op.drop_index(op.f("ix_stored_file_registration_activity_id"), table_name="stored_file")
    op.drop_index(op.f("ix_stored_file_activity_id"), table_name="stored_file")
    op.drop_table("stored_file")
    op.drop_index(op.f("ix_file_deletion_reset_id"), table_name="file_deletion")
    op.drop_index(op.f("ix_file_deletion_next_try_at"), table_name="file_deletion")
    op.drop_table("file_deletion")
