"""Groups; retraining rules with their occurrences; events and their sources."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "user_group",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_user_group_organization_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_group")),
        sa.UniqueConstraint("id", "organization_id", name=op.f("uq_user_group_id_organization_id")),
        sa.UniqueConstraint("organization_id", "code", name=op.f("uq_user_group_organization_id_code")),
    )
    op.create_table(
        "event_source",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_event_source_organization_id")),
        sa.ForeignKeyConstraint(
            ["user_id", "organization_id"],
            ["user.id", "user.organization_id"],
            name=op.f("fk_event_source_user_id_organization_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_source")),
    )
    op.create_index(op.f("ix_event_source_organization_id"), "event_source", ["organization_id"], unique=False)
    op.create_index(
        op.f("ix_event_source_user_id_organization_id"), "event_source", ["user_id", "organization_id"], unique=False
    )
    op.create_table(
        "group_member",
        sa.Column("group_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id", "organization_id"],
            ["user_group.id", "user_group.organization_id"],
            name=op.f("fk_group_member_group_id_organization_id"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id", "organization_id"],
            ["user.id", "user.organization_id"],
            name=op.f("fk_group_member_user_id_organization_id"),
        ),
        sa.PrimaryKeyConstraint("group_id", "user_id", name=op.f("pk_group_member")),
    )
    op.create_index(
        op.f("ix_group_member_group_id_organization_id"), "group_member", ["group_id", "organization_id"], unique=False
    )
    op.create_index(
        op.f("ix_group_member_user_id_organization_id"), "group_member", ["user_id", "organization_id"], unique=False
    )
    op.create_table(
        "retraining_rule",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("course_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "calendar",
                "rolling",
                "event",
                "once",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "audience",
            sa.Enum(
                "assigned",
                "completed",
                "users",
                "group",
                name="audience",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("group_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("starts", sa.DateTime(), nullable=True),
        sa.Column("recurrence", sa.Text(), nullable=True),
        sa.Column("months", sa.BigInteger(), nullable=True),
        sa.Column("at_time", sa.Time(), nullable=True),
        sa.Column(
            "event_kind",
            sa.Enum(
                "incident",
                "non_compliance",
                "procedure_changed",
                name="event_kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("warn_days", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("due_in_days", sa.BigInteger(), nullable=True),
        sa.Column("notify", sa.Boolean(), nullable=False),
        sa.Column(
            "catch_up",
            sa.Enum("run_once", "skip", name="catch_up", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("most_learners", sa.BigInteger(), nullable=True),
        sa.Column("most_a_day", sa.BigInteger(), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "active",
                "paused",
                "waiting",
                "ended",
                "removed",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            server_default="active",
            nullable=False,
        ),
        sa.Column("waits_for", sa.Text(), nullable=True),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_reach", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_preview", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("look_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(audience = 'group') = (group_id IS NOT NULL)", name=op.f("ck_retraining_rule_group_is_named")
        ),
        sa.CheckConstraint(
            "(state = 'waiting') = (waits_for IS NOT NULL)", name=op.f("ck_retraining_rule_waiting_says_why")
        ),
        sa.CheckConstraint(
            "CASE kind WHEN 'calendar' THEN starts IS NOT NULL AND recurrence IS NOT NULL "
            "WHEN 'once' THEN starts IS NOT NULL AND recurrence IS NULL "
            "WHEN 'rolling' THEN months IS NOT NULL AND at_time IS NOT NULL ELSE true END",
            name=op.f("ck_retraining_rule_kind_has_its_terms"),
        ),
        sa.CheckConstraint("audience <> 'users'", name=op.f("ck_retraining_rule_audience_is_no_list")),
        sa.CheckConstraint("length(trim(reason)) > 0", name=op.f("ck_retraining_rule_reason_is_given")),
        sa.CheckConstraint(
            "months > 0 AND warn_days >= 0 AND due_in_days > 0", name=op.f("ck_retraining_rule_terms_are_positive")
        ),
        sa.CheckConstraint("most_learners > 0 AND most_a_day > 0", name=op.f("ck_retraining_rule_caps_are_positive")),
        sa.ForeignKeyConstraint(
            ["course_id", "organization_id"],
            ["course.id", "course.organization_id"],
            name=op.f("fk_retraining_rule_course_id_organization_id"),
        ),
        sa.ForeignKeyConstraint(
            ["group_id", "organization_id"],
            ["user_group.id", "user_group.organization_id"],
            name=op.f("fk_retraining_rule_group_id_organization_id"),
        ),
        sa.ForeignKeyConstraint(
            ["owner_id", "organization_id"],
            ["user.id", "user.organization_id"],
            name=op.f("fk_retraining_rule_owner_id_organization_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retraining_rule")),
    )
    op.create_index(
        op.f("ix_retraining_rule_course_id_organization_id"),
        "retraining_rule",
        ["course_id", "organization_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_retraining_rule_group_id_organization_id"),
        "retraining_rule",
        ["group_id", "organization_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_retraining_rule_organization_id_created_at"),
        "retraining_rule",
        ["organization_id", "created_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_retraining_rule_owner_id_organization_id"),
        "retraining_rule",
        ["owner_id", "organization_id"],
        unique=False,
    )
    op.create_index(
        "ix_retraining_rule_to_look_at",
        "retraining_rule",
        ["look_at"],
        unique=False,
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_table(
        "training_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "incident",
                "non_compliance",
                "procedure_changed",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("course_id", sa.BigInteger(), nullable=False),
        sa.Column("group_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reporter", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["course_id", "organization_id"],
            ["course.id", "course.organization_id"],
            name=op.f("fk_training_event_course_id_organization_id"),
        ),
        sa.ForeignKeyConstraint(
            ["group_id", "organization_id"],
            ["user_group.id", "user_group.organization_id"],
            name=op.f("fk_training_event_group_id_organization_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_event")),
        sa.UniqueConstraint(
            "organization_id", "reporter", "key", name=op.f("uq_training_event_organization_id_reporter_key")
        ),
    )
    op.create_index(
        op.f("ix_training_event_course_id_organization_id"),
        "training_event",
        ["course_id", "organization_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_training_event_group_id_organization_id"),
        "training_event",
        ["group_id", "organization_id"],
        unique=False,
    )
    op.create_table(
        "occurrence",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("rule_id", sa.Uuid(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("enrolment_id", sa.BigInteger(), nullable=True),
        sa.Column("event_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "planned",
                "waiting",
                "requested",
                "settled",
                "skipped",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            server_default="planned",
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("reset_id", sa.Uuid(), nullable=True),
        sa.Column("learners", sa.BigInteger(), nullable=True),
        sa.Column("warned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(state IN ('requested', 'settled')) = (reset_id IS NOT NULL)",
            name=op.f("ck_occurrence_begun_has_its_reset"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('waiting', 'skipped') OR reason IS NOT NULL", name=op.f("ck_occurrence_held_says_why")
        ),
        sa.ForeignKeyConstraint(["enrolment_id"], ["enrolment.id"], name=op.f("fk_occurrence_enrolment_id")),
        sa.ForeignKeyConstraint(["event_id"], ["training_event.id"], name=op.f("fk_occurrence_event_id")),
        sa.ForeignKeyConstraint(["reset_id"], ["reset.id"], name=op.f("fk_occurrence_reset_id")),
        sa.ForeignKeyConstraint(["rule_id"], ["retraining_rule.id"], name=op.f("fk_occurrence_rule_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_occurrence")),
        sa.UniqueConstraint(
            "rule_id",
            "due_at",
            "enrolment_id",
            "event_id",
            name=op.f("uq_occurrence_rule_id_due_at_enrolment_id_event_id"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index(
        "ix_occurrence_begun",
        "occurrence",
        ["rule_id", "begun_at"],
        unique=False,
        postgresql_where=sa.text("begun_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_occurrence_enrolment_id"), "occurrence", ["enrolment_id"], unique=False)
    op.create_index(op.f("ix_occurrence_event_id"), "occurrence", ["event_id"], unique=False)
    op.create_index(
        "ix_occurrence_planned",
        "occurrence",
        ["rule_id", "due_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'planned'"),
    )
    op.create_index(
        "ix_occurrence_requested", "occurrence", ["id"], unique=False, postgresql_where=sa.text("state = 'requested'")
    )
    op.create_index(op.f("ix_occurrence_reset_id"), "occurrence", ["reset_id"], unique=False)
    op.create_index(
        "uq_occurrence_event",
        "occurrence",
        ["rule_id", "event_id"],
        unique=True,
        postgresql_where=sa.text("event_id IS NOT NULL"),
    )
    op.create_index(
        "ix_enrolment_completed",
        "enrolment",
        ["course_id", "completed_at"],
        unique=False,
        postgresql_where=sa.text("completed_at IS NOT NULL AND unassigned_at IS NULL"),
    )
    op.add_column("notification", sa.Column("occurrence_id", sa.BigInteger(), nullable=True))
    op.create_unique_constraint(
        op.f("uq_notification_occurrence_id_user_id_kind"), "notification", ["occurrence_id", "user_id", "kind"]
    )
    op.create_foreign_key(
        op.f("fk_notification_occurrence_id"), "notification", "occurrence", ["occurrence_id"], ["id"]
    )
    op.add_column("reset", sa.Column("group_id", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_reset_group_id_organization_id"), "reset", ["group_id", "organization_id"], unique=False)
    op.create_foreign_key(
        op.f("fk_reset_group_id_organization_id"),
        "reset",
        "user_group",
        ["group_id", "organization_id"],
        ["id", "organization_id"],
    )
    op.drop_constraint(op.f("ck_reset_audience"), "reset", type_="check")
    op.create_check_constraint(
        op.f("ck_reset_audience"), "reset", "audience IN ('assigned', 'completed', 'users', 'group')"
    )
    op.create_check_constraint(
        op.f("ck_reset_group_is_named"), "reset", "(audience = 'group') = (group_id IS NOT NULL)"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_reset_group_is_named"), "reset", type_="check")
    op.drop_constraint(op.f("ck_reset_audience"), "reset", type_="check")
    op.execute("UPDATE reset SET audience = 'assigned' WHERE audience = 'group'")
    op.create_check_constraint(op.f("ck_reset_audience"), "reset", "audience IN ('assigned', 'completed', 'users')")
    op.execute("DELETE FROM notification WHERE kind IN ('retraining_ahead', 'rule_waits')")
    op.drop_constraint(op.f("fk_reset_group_id_organization_id"), "reset", type_="foreignkey")
    op.drop_index(op.f("ix_reset_group_id_organization_id"), table_name="reset")
    op.drop_column("reset", "group_id")
    op.drop_constraint(op.f("fk_notification_occurrence_id"), "notification", type_="foreignkey")
    op.drop_constraint(op.f("uq_notification_occurrence_id_user_id_kind"), "notification", type_="unique")
    op.drop_column("notification", "occurrence_id")
    op.drop_index(
        "ix_enrolment_completed",
        table_name="enrolment",
        postgresql_where=sa.text("completed_at IS NOT NULL AND unassigned_at IS NULL"),
    )
    op.drop_index("uq_occurrence_event", table_name="occurrence", postgresql_where=sa.text("event_id IS NOT NULL"))
    op.drop_index(op.f("ix_occurrence_reset_id"), table_name="occurrence")
    op.drop_index("ix_occurrence_requested", table_name="occurrence", postgresql_where=sa.text("state = 'requested'"))
    op.drop_index("ix_occurrence_planned", table_name="occurrence", postgresql_where=sa.text("state = 'planned'"))
    op.drop_index(op.f("ix_occurrence_event_id"), table_name="occurrence")
    op.drop_index(op.f("ix_occurrence_enrolment_id"), table_name="occurrence")
    op.drop_index("ix_occurrence_begun", table_name="occurrence", postgresql_where=sa.text("begun_at IS NOT NULL"))
    op.drop_table("occurrence")
    op.drop_index(op.f("ix_training_event_group_id_organization_id"), table_name="training_event")
    op.drop_index(op.f("ix_training_event_course_id_organization_id"), table_name="training_event")
    op.drop_table("training_event")
    op.drop_index(
        "ix_retraining_rule_to_look_at", table_name="retraining_rule", postgresql_where=sa.text("state = 'active'")
    )
    op.drop_index(op.f("ix_retraining_rule_owner_id_organization_id"), table_name="retraining_rule")
    op.drop_index(op.f("ix_retraining_rule_organization_id_created_at"), table_name="retraining_rule")
    op.drop_index(op.f("ix_retraining_rule_group_id_organization_id"), table_name="retraining_rule")
    op.drop_index(op.f("ix_retraining_rule_course_id_organization_id"), table_name="retraining_rule")
    op.drop_table("retraining_rule")
    op.drop_index(op.f("ix_group_member_user_id_organization_id"), table_name="group_member")
    op.drop_index(op.f("ix_group_member_group_id_organization_id"), table_name="group_member")
    op.drop_table("group_member")
    op.drop_index(op.f("ix_event_source_user_id_organization_id"), table_name="event_source")
    op.drop_index(op.f("ix_event_source_organization_id"), table_name="event_source")
    op.drop_table("event_source")
    op.drop_table("user_group")
