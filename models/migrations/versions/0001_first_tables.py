"""The first tables; and the functions that PostgreSQL has only since version 17 or 18."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# By the first version that has them. The bodies are parsed here, so that no search path changes their meaning, and each
# is one expression, so that the planner puts it in place of the call.
NEWER_FUNCTIONS = {
    # RFC 9562, method 3: 48 bits of milliseconds, and 12 bits of their fraction. The variant and the rest are those of
    # a random UUID. 4,096,000 parts a second are both at once: to_hex writes the milliseconds and the fraction.
    18: """
        CREATE FUNCTION uuidv7(shift interval DEFAULT NULL) RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE
        RETURN (overlay(
            lpad(to_hex(floor(
                extract(epoch FROM clock_timestamp() + coalesce(shift, interval '0')) * 4096000)::bigint), 15, '0')
            PLACING '7' FROM 13 FOR 0) || substr(gen_random_uuid()::text, 20))::uuid
    """,
    17: """
        CREATE FUNCTION uuid_extract_timestamp(uuid) RETURNS timestamptz LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
        RETURN CASE WHEN substr($1::text, 15, 1) = '7' THEN to_timestamp(
            ('x' || translate(left($1::text, 13), '-', ''))::bit(48)::bigint / 1000.0) END
    """,
}


def upgrade() -> None:
    server = int((op.get_bind().dialect.server_version_info or (0,))[0])
    for version, function in NEWER_FUNCTIONS.items():
        if server < version:
            op.execute(function)
    op.create_table(
        "organization",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organization")),
        sa.UniqueConstraint("slug", name=op.f("uq_organization_slug")),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_audit_organization_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_organization_id_at"), "audit", ["organization_id", "at"], unique=False)
    op.create_index(op.f("ix_audit_subject"), "audit", ["subject"], unique=False)
    op.create_table(
        "course",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("certificates_on", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_course_organization_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_course")),
        sa.UniqueConstraint("id", "organization_id", name=op.f("uq_course_id_organization_id")),
        sa.UniqueConstraint("organization_id", "code", name=op.f("uq_course_organization_id_code")),
    )
    op.create_table(
        "user",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("permissions", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("notifications_on", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("email LIKE '%%_@_%%'", name=op.f("ck_user_email_has_an_at")),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_user_organization_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user")),
        sa.UniqueConstraint("id", "organization_id", name=op.f("uq_user_id_organization_id")),
    )
    op.create_index(
        "uq_user_organization_id_email", "user", ["organization_id", sa.literal_column("lower(email)")], unique=True
    )
    op.create_table(
        "activity",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("course_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "lesson",
                "practical_assessment",
                "discussion",
                "assignment",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["course_id"], ["course.id"], name=op.f("fk_activity_course_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity")),
        sa.UniqueConstraint("course_id", "reference", name=op.f("uq_activity_course_id_reference")),
    )
    op.create_table(
        "enrolment",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("course_id", sa.BigInteger(), nullable=False),
        sa.Column("registration", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "assigned",
                "in_progress",
                "completed",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            server_default="assigned",
            nullable=False,
        ),
        sa.Column("progress", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("assigned_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("unassigned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'completed') = (completed_at IS NOT NULL)", name=op.f("ck_enrolment_completed_has_its_moment")
        ),
        sa.CheckConstraint(
            "state <> 'assigned' OR progress = 0", name=op.f("ck_enrolment_assigned_means_nothing_done")
        ),
        sa.CheckConstraint(
            "state <> 'completed' OR progress = 100", name=op.f("ck_enrolment_completed_means_all_done")
        ),
        sa.CheckConstraint("progress BETWEEN 0 AND 100", name=op.f("ck_enrolment_progress_is_percent")),
        sa.ForeignKeyConstraint(
            ["course_id", "organization_id"],
            ["course.id", "course.organization_id"],
            name=op.f("fk_enrolment_course_id_organization_id"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id", "organization_id"],
            ["user.id", "user.organization_id"],
            name=op.f("fk_enrolment_user_id_organization_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrolment")),
        sa.UniqueConstraint("registration", name=op.f("uq_enrolment_registration")),
        sa.UniqueConstraint(
            "user_id", "organization_id", "course_id", name=op.f("uq_enrolment_user_id_organization_id_course_id")
        ),
    )
    op.create_index(
        op.f("ix_enrolment_course_id_organization_id_state"),
        "enrolment",
        ["course_id", "organization_id", "state"],
        unique=False,
    )
    op.create_table(
        "reset",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("course_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "audience",
            sa.Enum(
                "assigned", "completed", "users", name="audience", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column("user_ids", postgresql.ARRAY(sa.BigInteger()), nullable=True),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_in_days", sa.BigInteger(), nullable=True),
        sa.Column("notify", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.BigInteger(), nullable=True),
        sa.Column("requester", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "requested",
                "running",
                "succeeded",
                "partly_failed",
                "failed",
                "cancelled",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            server_default="requested",
            nullable=False,
        ),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("recovered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cancel_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(audience = 'users') = (user_ids IS NOT NULL)", name=op.f("ck_reset_named_users_are_named")
        ),
        sa.CheckConstraint(
            "(state IN ('requested', 'running')) = (finished_at IS NULL)", name=op.f("ck_reset_settled_has_its_moment")
        ),
        sa.CheckConstraint("due_in_days > 0", name=op.f("ck_reset_due_in_days_is_positive")),
        sa.CheckConstraint("length(trim(reason)) > 0", name=op.f("ck_reset_reason_is_given")),
        sa.ForeignKeyConstraint(
            ["course_id", "organization_id"],
            ["course.id", "course.organization_id"],
            name=op.f("fk_reset_course_id_organization_id"),
        ),
        sa.ForeignKeyConstraint(
            ["requested_by", "organization_id"],
            ["user.id", "user.organization_id"],
            name=op.f("fk_reset_requested_by_organization_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reset")),
        sa.UniqueConstraint(
            "organization_id", "idempotency_key", name=op.f("uq_reset_organization_id_idempotency_key")
        ),
    )
    op.create_index(op.f("ix_reset_course_id_organization_id"), "reset", ["course_id", "organization_id"], unique=False)
    op.create_index(
        "ix_reset_open", "reset", ["state"], unique=False, postgresql_where=sa.text("state IN ('requested', 'running')")
    )
    op.create_index(
        op.f("ix_reset_requested_by_organization_id"), "reset", ["requested_by", "organization_id"], unique=False
    )
    op.create_index(
        "ix_reset_unreported",
        "reset",
        ["id"],
        unique=False,
        postgresql_where=sa.text("finished_at IS NOT NULL AND reported_at IS NULL"),
    )
    op.create_table(
        "assignment_submission",
        sa.Column("registration", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("activity_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("body", sa.Text(), server_default="", nullable=False),
        sa.Column("score", sa.Numeric(precision=5, scale=2), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("score BETWEEN 0 AND 100", name=op.f("ck_assignment_submission_score")),
        sa.ForeignKeyConstraint(["activity_id"], ["activity.id"], name=op.f("fk_assignment_submission_activity_id")),
        sa.ForeignKeyConstraint(
            ["registration"], ["enrolment.registration"], name=op.f("fk_assignment_submission_registration")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignment_submission")),
        sa.UniqueConstraint(
            "registration",
            "activity_id",
            "attempt",
            name=op.f("uq_assignment_submission_registration_activity_id_attempt"),
        ),
    )
    op.create_index(
        op.f("ix_assignment_submission_activity_id"), "assignment_submission", ["activity_id"], unique=False
    )
    op.create_table(
        "certificate",
        sa.Column("registration", sa.Uuid(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["registration"], ["enrolment.registration"], name=op.f("fk_certificate_registration")),
        sa.PrimaryKeyConstraint("registration", name=op.f("pk_certificate")),
        sa.UniqueConstraint("serial", name=op.f("uq_certificate_serial")),
    )
    op.create_table(
        "completion",
        sa.Column("registration", sa.Uuid(), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["registration"], ["enrolment.registration"], name=op.f("fk_completion_registration")),
        sa.PrimaryKeyConstraint("registration", name=op.f("pk_completion")),
    )
    op.create_table(
        "discussion_post",
        sa.Column("registration", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("activity_id", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["activity_id"], ["activity.id"], name=op.f("fk_discussion_post_activity_id")),
        sa.ForeignKeyConstraint(
            ["registration"], ["enrolment.registration"], name=op.f("fk_discussion_post_registration")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_discussion_post")),
    )
    op.create_index(op.f("ix_discussion_post_activity_id"), "discussion_post", ["activity_id"], unique=False)
    op.create_index(op.f("ix_discussion_post_registration"), "discussion_post", ["registration"], unique=False)
    op.create_table(
        "lesson_progress",
        sa.Column("registration", sa.Uuid(), nullable=False),
        sa.Column("activity_id", sa.BigInteger(), nullable=False),
        sa.Column("percent", sa.Numeric(precision=5, scale=2), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("percent BETWEEN 0 AND 100", name=op.f("ck_lesson_progress_percent")),
        sa.ForeignKeyConstraint(["activity_id"], ["activity.id"], name=op.f("fk_lesson_progress_activity_id")),
        sa.ForeignKeyConstraint(
            ["registration"], ["enrolment.registration"], name=op.f("fk_lesson_progress_registration")
        ),
        sa.PrimaryKeyConstraint("registration", "activity_id", name=op.f("pk_lesson_progress")),
    )
    op.create_index(op.f("ix_lesson_progress_activity_id"), "lesson_progress", ["activity_id"], unique=False)
    op.create_table(
        "notification",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("reset_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("course_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "pending", "sent", "suppressed", name="state", native_enum=False, create_constraint=True, length=32
            ),
            server_default="pending",
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'sent') = (sent_at IS NOT NULL)", name=op.f("ck_notification_sent_has_its_moment")
        ),
        sa.CheckConstraint(
            "(state = 'suppressed') = (reason IS NOT NULL)", name=op.f("ck_notification_suppressed_says_why")
        ),
        sa.ForeignKeyConstraint(["course_id"], ["course.id"], name=op.f("fk_notification_course_id")),
        sa.ForeignKeyConstraint(["reset_id"], ["reset.id"], name=op.f("fk_notification_reset_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_notification_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification")),
        sa.UniqueConstraint("reset_id", "user_id", name=op.f("uq_notification_reset_id_user_id")),
    )
    op.create_index(op.f("ix_notification_course_id"), "notification", ["course_id"], unique=False)
    op.create_index(
        "ix_notification_pending",
        "notification",
        ["reset_id", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(op.f("ix_notification_user_id_sent_at"), "notification", ["user_id", "sent_at"], unique=False)
    op.create_table(
        "practical_assessment",
        sa.Column("registration", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("activity_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("score", sa.Numeric(precision=5, scale=2), nullable=True),
        sa.Column("assessed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("score BETWEEN 0 AND 100", name=op.f("ck_practical_assessment_score")),
        sa.ForeignKeyConstraint(["activity_id"], ["activity.id"], name=op.f("fk_practical_assessment_activity_id")),
        sa.ForeignKeyConstraint(
            ["registration"], ["enrolment.registration"], name=op.f("fk_practical_assessment_registration")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_practical_assessment")),
        sa.UniqueConstraint(
            "registration",
            "activity_id",
            "attempt",
            name=op.f("uq_practical_assessment_registration_activity_id_attempt"),
        ),
    )
    op.create_index(op.f("ix_practical_assessment_activity_id"), "practical_assessment", ["activity_id"], unique=False)
    op.create_table(
        "reset_item",
        sa.Column("reset_id", sa.Uuid(), nullable=False),
        sa.Column("enrolment_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "pending",
                "cleared",
                "unchanged",
                "skipped",
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
        sa.CheckConstraint(
            "(state IN ('skipped', 'failed')) = (reason IS NOT NULL)", name=op.f("ck_reset_item_not_cleared_says_why")
        ),
        sa.ForeignKeyConstraint(["enrolment_id"], ["enrolment.id"], name=op.f("fk_reset_item_enrolment_id")),
        sa.ForeignKeyConstraint(["reset_id"], ["reset.id"], name=op.f("fk_reset_item_reset_id")),
        sa.PrimaryKeyConstraint("reset_id", "enrolment_id", name=op.f("pk_reset_item")),
    )
    op.create_index(op.f("ix_reset_item_enrolment_id"), "reset_item", ["enrolment_id"], unique=False)
    op.create_index(
        "uq_reset_item_open", "reset_item", ["enrolment_id"], unique=True, postgresql_where=sa.text("state = 'pending'")
    )
    op.create_table(
        "reset_slice",
        sa.Column("reset_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("learners", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("publications", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cleared", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("unchanged", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("skipped", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("removed", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(["reset_id"], ["reset.id"], name=op.f("fk_reset_slice_reset_id")),
        sa.PrimaryKeyConstraint("reset_id", "number", name=op.f("pk_reset_slice")),
    )
    op.create_index(
        "ix_reset_slice_open",
        "reset_slice",
        ["reset_id", "number"],
        unique=False,
        postgresql_where=sa.text("settled_at IS NULL"),
    )

    op.execute(
        """
        CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
        FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()
        """
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION audit_is_append_only CASCADE")
    op.drop_index("ix_reset_slice_open", table_name="reset_slice", postgresql_where=sa.text("settled_at IS NULL"))
    op.drop_table("reset_slice")
    op.drop_index("uq_reset_item_open", table_name="reset_item", postgresql_where=sa.text("state = 'pending'"))
    op.drop_index(op.f("ix_reset_item_enrolment_id"), table_name="reset_item")
    op.drop_table("reset_item")
    op.drop_index(op.f("ix_practical_assessment_activity_id"), table_name="practical_assessment")
    op.drop_table("practical_assessment")
    op.drop_index(op.f("ix_notification_user_id_sent_at"), table_name="notification")
    op.drop_index("ix_notification_pending", table_name="notification", postgresql_where=sa.text("state = 'pending'"))
    op.drop_index(op.f("ix_notification_course_id"), table_name="notification")
    op.drop_table("notification")
    op.drop_index(op.f("ix_lesson_progress_activity_id"), table_name="lesson_progress")
    op.drop_table("lesson_progress")
    op.drop_index(op.f("ix_discussion_post_registration"), table_name="discussion_post")
    op.drop_index(op.f("ix_discussion_post_activity_id"), table_name="discussion_post")
    op.drop_table("discussion_post")
    op.drop_table("completion")
    op.drop_table("certificate")
    op.drop_index(op.f("ix_assignment_submission_activity_id"), table_name="assignment_submission")
    op.drop_table("assignment_submission")
    op.drop_index(
        "ix_reset_unreported",
        table_name="reset",
        postgresql_where=sa.text("finished_at IS NOT NULL AND reported_at IS NULL"),
    )
    op.drop_index(op.f("ix_reset_requested_by_organization_id"), table_name="reset")
    op.drop_index("ix_reset_open", table_name="reset", postgresql_where=sa.text("state IN ('requested', 'running')"))
    op.drop_index(op.f("ix_reset_course_id_organization_id"), table_name="reset")
    op.drop_table("reset")
    op.drop_index(op.f("ix_enrolment_course_id_organization_id_state"), table_name="enrolment")
    op.drop_table("enrolment")
    op.drop_table("activity")
    op.drop_index("uq_user_organization_id_email", table_name="user")
    op.drop_table("user")
    op.drop_table("course")
    op.drop_index(op.f("ix_audit_subject"), table_name="audit")
    op.drop_index(op.f("ix_audit_organization_id_at"), table_name="audit")
    op.drop_table("audit")
    op.drop_table("organization")
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    for function in ("uuidv7(interval)", "uuid_extract_timestamp(uuid)"):  # never the server's own
        op.execute(f"DROP FUNCTION IF EXISTS {schema}.{function}")
