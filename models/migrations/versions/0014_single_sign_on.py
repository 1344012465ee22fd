"""Single sign-on: the provider of an organization, its users there, and their sessions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _make_provider()
    _make_identity()
    _make_session()


def _make_provider() -> None:
    op.create_table(
        "identity_provider",
        sa.Column("organization_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("sealed_secret", sa.Text()),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("claims_from", sa.String(32), nullable=False),
        sa.Column("by_address", sa.Boolean(), nullable=False),
        sa.Column("trusts_addresses", sa.Boolean(), nullable=False),
        sa.Column("external_id_claim", sa.Text()),
        sa.Column("roles_claim", sa.Text()),
        sa.Column("roles", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("adds_users", sa.Boolean(), nullable=False),
        sa.Column("passwords_off", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("check_seconds", sa.BigInteger(), nullable=False),
        sa.Column("away_seconds", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "by_address OR external_id_claim IS NOT NULL", name=op.f("ck_identity_provider_names_users")
        ),
        sa.CheckConstraint(
            "(roles_claim IS NULL) = (roles = '{}')", name=op.f("ck_identity_provider_roles_have_a_claim")
        ),
        sa.CheckConstraint("check_seconds BETWEEN 0 AND 3600", name=op.f("ck_identity_provider_check_seconds")),
        sa.CheckConstraint("away_seconds BETWEEN 0 AND 86400", name=op.f("ck_identity_provider_away_seconds")),
        sa.CheckConstraint("claims_from IN ('userinfo', 'id_token')", name=op.f("ck_identity_provider_claims_from")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_identity_provider_organization_id")
        ),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_identity_provider")),
    )


def _make_identity() -> None:
    op.create_table(
        "user_identity",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("bound_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_user_identity_user_id")),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["identity_provider.organization_id"],
            name=op.f("fk_user_identity_organization_id"),
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_user_identity")),
        sa.UniqueConstraint("organization_id", "subject", name=op.f("uq_user_identity_organization_id_subject")),
    )


def _make_session() -> None:
    op.create_table(
        "provider_session",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("sid", sa.Text()),
        sa.Column("sealed_tokens", sa.Text(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True)),
        sa.Column("busy_until", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(
            ["token_hash"],
            ["web_session.token_hash"],
            name=op.f("fk_provider_session_token_hash"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["identity_provider.organization_id"],
            name=op.f("fk_provider_session_organization_id"),
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_provider_session")),
    )
    op.create_index(
        op.f("ix_provider_session_organization_id_subject"), "provider_session", ["organization_id", "subject"]
    )
    op.create_index(op.f("ix_provider_session_organization_id_sid"), "provider_session", ["organization_id", "sid"])


def downgrade() -> None:
    op.drop_table("provider_session")
    op.drop_table("user_identity")
    op.drop_table("identity_provider")
