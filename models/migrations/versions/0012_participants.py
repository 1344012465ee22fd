"""Participants: systems that are asked to clear records of their own."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from models.migrations.gentle import add_check, build_index

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

BEFORE = ("pending", "cleared", "unchanged", "skipped", "failed")
AFTER = ("pending", "waiting", "cleared", "unchanged", "skipped", "failed")


def upgrade() -> None:
    op.execute("ALTER TABLE reset ADD COLUMN IF NOT EXISTS participants bigint[] DEFAULT '{}' NOT NULL")
    op.execute("ALTER TABLE reset_slice ADD COLUMN IF NOT EXISTS waiting bigint DEFAULT 0 NOT NULL")
    build_index("ix_reset_slice_waiting", "reset_slice", ["reset_id"], postgresql_where=sa.text("waiting > 0"))
    _allow(AFTER)
    _make_participant()
    _make_request()
    _make_item()


def _allow(states: tuple[str, ...]) -> None:
    op.execute("ALTER TABLE reset_item DROP CONSTRAINT IF EXISTS ck_reset_item_state")
    listed = ", ".join(f"'{state}'" for state in states)
    add_check("ck_reset_item_state", "reset_item", f"state IN ({listed})")


def _one_of(values: tuple[str, ...], name: str) -> sa.CheckConstraint:
    column = name.rsplit("_", maxsplit=1)[-1]
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=op.f(name))


def _make_participant() -> None:
    op.create_table(
        "participant",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text()),
        sa.Column("sealed_options", sa.Text()),
        sa.Column("course_ids", postgresql.ARRAY(sa.BigInteger())),
        sa.Column("learners_at_once", sa.BigInteger(), server_default="100", nullable=False),
        sa.Column("per_second", sa.Numeric(8, 3)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True)),
        sa.Column("disabled_why", sa.Text()),
        sa.Column("removed_at", sa.DateTime(timezone=True)),
        sa.Column("sealed_secret", sa.Text(), nullable=False),
        sa.Column("former_secret", sa.Text()),
        sa.Column("former_until", sa.DateTime(timezone=True)),
        sa.CheckConstraint("(kind = 'celery') = (queue IS NOT NULL)", name=op.f("ck_participant_a_task_has_a_queue")),
        sa.CheckConstraint("learners_at_once BETWEEN 1 AND 1000", name=op.f("ck_participant_learners_at_once")),
        sa.CheckConstraint("per_second > 0", name=op.f("ck_participant_per_second_is_positive")),
        sa.CheckConstraint(
            "(disabled_at IS NULL) = (disabled_why IS NULL)", name=op.f("ck_participant_disabled_says_why")
        ),
        _one_of(("http", "celery", "plugin"), "ck_participant_kind"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_participant_organization_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_participant")),
        sa.UniqueConstraint("id", "organization_id", name=op.f("uq_participant_id_organization_id")),
    )
    op.create_index(op.f("ix_participant_organization_id"), "participant", ["organization_id"])
    op.create_index(
        "uq_participant_code",
        "participant",
        ["organization_id", "code"],
        unique=True,
        postgresql_where=sa.text("removed_at IS NULL"),
    )


def _make_request() -> None:
    op.create_table(
        "participant_request",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("participant_id", sa.BigInteger(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("reset_id", sa.Uuid(), nullable=False),
        sa.Column("learners", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(32), server_default="waiting", nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True)),
        sa.Column("outcome", sa.Text()),
        _one_of(("waiting", "answered", "given_up", "withdrawn"), "ck_participant_request_state"),
        sa.ForeignKeyConstraint(
            ["participant_id", "organization_id"],
            ["participant.id", "participant.organization_id"],
            name=op.f("fk_participant_request_participant_id_organization_id"),
        ),
        sa.ForeignKeyConstraint(
            ["reset_id"], ["reset.id"], name=op.f("fk_participant_request_reset_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_participant_request")),
    )
    op.create_index(
        op.f("ix_participant_request_participant_id_organization_id"),
        "participant_request",
        ["participant_id", "organization_id"],
    )
    op.create_index(
        op.f("ix_participant_request_reset_id_state_participant_id"),
        "participant_request",
        ["reset_id", "state", "participant_id"],
    )
    op.create_index(
        "ix_participant_request_due",
        "participant_request",
        ["participant_id", "next_try_at", "id"],
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "ix_participant_request_given_up",
        "participant_request",
        ["participant_id"],
        postgresql_where=sa.text("state = 'given_up'"),
    )


def _make_item() -> None:
    op.create_table(
        "participant_item",
        sa.Column("reset_id", sa.Uuid(), nullable=False),
        sa.Column("participant_id", sa.BigInteger(), nullable=False),
        sa.Column("enrolment_id", sa.BigInteger(), nullable=False),
        sa.Column("slice_number", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.Uuid()),
        sa.Column("here", sa.String(32), nullable=False),
        sa.Column("old_registration", sa.Uuid(), nullable=False),
        sa.Column("new_registration", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(32), server_default="waiting", nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("removed", postgresql.JSONB(), server_default="{}", nullable=False),
        _one_of(AFTER, "ck_participant_item_here"),
        _one_of(("waiting", "unknown", "later", "done", "failed"), "ck_participant_item_state"),
        sa.CheckConstraint(
            "(state = 'failed') = (reason IS NOT NULL)", name=op.f("ck_participant_item_failed_says_why")
        ),
        sa.PrimaryKeyConstraint("reset_id", "participant_id", "enrolment_id", name=op.f("pk_participant_item")),
    )
    op.create_index(op.f("ix_participant_item_request_id"), "participant_item", ["request_id"])
    op.create_index(
        op.f("ix_participant_item_reset_id_slice_number_enrolment_id"),
        "participant_item",
        ["reset_id", "slice_number", "enrolment_id"],
    )


def downgrade() -> None:
    op.drop_table("participant_item")
    op.drop_table("participant_request")
    op.drop_table("participant")
    op.execute("DELETE FROM reset_item WHERE state = 'waiting'")
    _allow(BEFORE)
    op.drop_index("ix_reset_slice_waiting", "reset_slice")
    op.drop_column("reset_slice", "waiting")
    op.drop_column("reset", "participants")
