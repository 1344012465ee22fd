"""Signing in, tokens, idempotency keys; resets that begin later; alerts of several kinds."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_in_failure",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account", sa.LargeBinary(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_failure")),
    )
    op.create_index(op.f("ix_sign_in_failure_account_at"), "sign_in_failure", ["account", "at"], unique=False)
    op.create_index(op.f("ix_sign_in_failure_address_at"), "sign_in_failure", ["address", "at"], unique=False)
    op.create_table(
        "api_token",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_api_token_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_token_token_hash")),
    )
    op.create_index(op.f("ix_api_token_user_id"), "api_token", ["user_id"], unique=False)
    op.create_table(
        "credential",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_credential_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_credential")),
    )
    op.create_table(
        "stored_answer",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_stored_answer_user_id")),
        sa.PrimaryKeyConstraint("user_id", "key", name=op.f("pk_stored_answer")),
    )
    op.create_index(op.f("ix_stored_answer_created_at"), "stored_answer", ["created_at"], unique=False)
    op.create_table(
        "web_session",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("browser", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_web_session_user_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_web_session")),
    )
    op.create_index(op.f("ix_web_session_seen_at"), "web_session", ["seen_at"], unique=False)
    op.create_index(op.f("ix_web_session_user_id"), "web_session", ["user_id"], unique=False)
    op.add_column(
        "notification",
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
            server_default="course_assigned",
            nullable=False,
        ),
    )
    op.add_column("notification", sa.Column("read_at", sa.DateTime(timezone=True), nullable=True))
    op.alter_column("notification", "reset_id", existing_type=sa.UUID(), nullable=True)
    op.drop_constraint(op.f("uq_notification_reset_id_user_id"), "notification", type_="unique")
    op.create_unique_constraint(
        op.f("uq_notification_reset_id_user_id_kind"), "notification", ["reset_id", "user_id", "kind"]
    )
    op.add_column(
        "reset", sa.Column("start_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)
    )
    op.execute("UPDATE reset SET start_at = requested_at")
    op.create_check_constraint(
        op.f("ck_notification_reset_is_named"),
        "notification",
        "reset_id IS NOT NULL OR kind IN ('retraining_ahead', 'rule_waits')",
    )
    op.add_column("user", sa.Column("locale", sa.Text(), server_default="en", nullable=False))
    op.add_column("user", sa.Column("time_zone", sa.Text(), server_default="UTC", nullable=False))
    op.create_index(op.f("ix_user_organization_id_name_id"), "user", ["organization_id", "name", "id"], unique=False)
    op.create_index(
        op.f("ix_reset_organization_id_requested_at_id"),
        "reset",
        ["organization_id", "requested_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_reset_item_not_reset",
        "reset_item",
        ["reset_id", "state", "enrolment_id"],
        unique=False,
        postgresql_where=sa.text("state IN ('skipped', 'failed')"),
    )


def downgrade() -> None:
    op.drop_index("ix_reset_item_not_reset", table_name="reset_item")
    op.drop_index(op.f("ix_reset_organization_id_requested_at_id"), table_name="reset")
    op.drop_index(op.f("ix_user_organization_id_name_id"), table_name="user")
    op.drop_constraint(op.f("ck_notification_reset_is_named"), "notification")
    op.execute("DELETE FROM notification WHERE kind <> 'course_assigned'")
    op.drop_column("user", "time_zone")
    op.drop_column("user", "locale")
    op.drop_column("reset", "start_at")
    op.drop_constraint(op.f("uq_notification_reset_id_user_id_kind"), "notification", type_="unique")
    op.create_unique_constraint(op.f("uq_notification_reset_id_user_id"), "notification", ["reset_id", "user_id"])
    op.alter_column("notification", "reset_id", existing_type=sa.UUID(), nullable=False)
    op.drop_column("notification", "read_at")
    op.drop_column("notification", "kind")
    op.drop_index(op.f("ix_web_session_user_id"), table_name="web_session")
    op.drop_index(op.f("ix_web_session_seen_at"), table_name="web_session")
    op.drop_table("web_session")
    op.drop_index(op.f("ix_stored_answer_created_at"), table_name="stored_answer")
    op.drop_table("stored_answer")
    op.drop_table("credential")
    op.drop_index(op.f("ix_api_token_user_id"), table_name="api_token")
    op.drop_table("api_token")
    op.drop_index(op.f("ix_sign_in_failure_address_at"), table_name="sign_in_failure")
    op.drop_index(op.f("ix_sign_in_failure_account_at"), table_name="sign_in_failure")
    op.drop_table("sign_in_failure")
