"""A learner's row is written once in the ledger, and once in the inbox; and the fence is checked once a statement.

The plan of a reset is its slices, which hold the learners; the ledger gets a row when a learner is settled. Triggers
replace the foreign keys to `enrolment.registration`, which PostgreSQL checks learner by learner.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from models.migrations.gentle import build_index

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

RECORDS = (
    "lesson_progress",
    "practical_assessment",
    "discussion_post",
    "assignment_submission",
    "completion",
    "certificate",
    "stored_file",
)

# With the planner's choice between a few keys and many, a connection's plan for one learner would be its plan for a
# million, or the other way round. By index is good for both.
PLANS = "SET enable_seqscan TO off SET enable_hashjoin TO off SET enable_mergejoin TO off"

REGISTRATION_IS_OPEN = """
CREATE FUNCTION registration_is_open() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path TO {path} {plans} AS $$
DECLARE
    all_open boolean;
BEGIN
    IF TG_OP = 'INSERT' THEN
        WITH used AS (SELECT DISTINCT registration FROM written),
             open AS (SELECT FROM enrolment e JOIN used USING (registration) ORDER BY e.id FOR KEY SHARE OF e)
        SELECT (SELECT count(*) FROM used) = (SELECT count(*) FROM open) INTO all_open;
    ELSE
        WITH used AS (SELECT registration FROM written EXCEPT SELECT registration FROM before),
             open AS (SELECT FROM enrolment e JOIN used USING (registration) ORDER BY e.id FOR KEY SHARE OF e)
        SELECT (SELECT count(*) FROM used) = (SELECT count(*) FROM open) INTO all_open;
    END IF;
    IF NOT all_open THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('a record in %I is written under a registration that has ended', TG_TABLE_NAME),
            DETAIL = (SELECT format('Registration: %s.', registration) FROM written w
                      WHERE NOT EXISTS (SELECT FROM enrolment e WHERE e.registration = w.registration) LIMIT 1),
            SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$
"""

NOTHING_LEFT_BEHIND = """
CREATE FUNCTION nothing_left_behind() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path TO {path} {plans} AS $$
DECLARE
    ended uuid[];
    kind regclass;
    found uuid;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        SELECT array_agg(registration) INTO ended
        FROM (SELECT registration FROM before EXCEPT SELECT registration FROM after) gone;
        IF ended IS NULL THEN
            RETURN NULL;
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(registration) INTO ended FROM before;
    END IF;
    -- A snapshot from before a learner's last write would not show the record that it left.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE feature_not_supported USING
            MESSAGE = 'a registration can only be ended in a transaction at the level READ COMMITTED';
    END IF;
    FOR kind IN
        SELECT tgrelid FROM pg_trigger
        WHERE tgfoid = 'registration_is_open'::regproc AND tgname = 'registration_is_open_on_insert'
    LOOP
        IF TG_OP = 'TRUNCATE' THEN
            EXECUTE format('SELECT registration FROM %s LIMIT 1', kind) INTO found;
        ELSE
            EXECUTE format('SELECT registration FROM %s WHERE registration = ANY ($1) LIMIT 1', kind)
            INTO found USING ended;
        END IF;
        IF found IS NOT NULL THEN
            RAISE foreign_key_violation USING
                MESSAGE = format('a registration cannot end while a record in %s is left under it', kind),
                DETAIL = format('Registration: %s.', found);
        END IF;
    END LOOP;
    RETURN NULL;
END $$
"""

FENCE = """
CREATE FUNCTION fence(kind regclass) RETURNS void LANGUAGE plpgsql SET search_path TO {path} AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER registration_is_open_on_insert AFTER INSERT ON %s REFERENCING NEW TABLE AS written '
                   'FOR EACH STATEMENT EXECUTE FUNCTION registration_is_open()', kind);
    EXECUTE format('CREATE TRIGGER registration_is_open_on_update AFTER UPDATE ON %s '
                   'REFERENCING OLD TABLE AS before NEW TABLE AS written '
                   'FOR EACH STATEMENT EXECUTE FUNCTION registration_is_open()', kind);
END $$
"""

NOTES_ITS_TRANSACTION = """
CREATE OR REPLACE FUNCTION enrolment_notes_its_transaction() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF new.unassigned_at IS NULL AND old.unassigned_at IS NOT NULL THEN
        new.assigned_xid := pg_current_xact_id();
    END IF;
    IF new.completed_at IS NOT NULL AND new.completed_at IS DISTINCT FROM old.completed_at THEN
        new.completed_xid := pg_current_xact_id();
    END IF;
    IF new.registration <> old.registration THEN
        new.registered_xid := pg_current_xact_id();
    END IF;
    RETURN new;
END $$
"""

# A reset writes the transaction itself, so that the trigger is not called for each of its learners.
NOTE_IT = """
CREATE TRIGGER notes_its_transaction BEFORE UPDATE OF unassigned_at, completed_at, registration ON enrolment
FOR EACH ROW
WHEN ((new.unassigned_at IS NULL AND old.unassigned_at IS NOT NULL)
      OR (new.completed_at IS NOT NULL AND new.completed_at IS DISTINCT FROM old.completed_at)
      OR (new.registration <> old.registration AND new.registered_xid = old.registered_xid))
EXECUTE FUNCTION enrolment_notes_its_transaction()
"""


def upgrade() -> None:
    op.execute("ALTER TABLE reset_slice ADD COLUMN IF NOT EXISTS alerts_due boolean DEFAULT false NOT NULL")
    build_index(
        "ix_reset_slice_alerts_due", "reset_slice", ["reset_id", "number"], postgresql_where=sa.text("alerts_due")
    )
    build_index(
        "uq_notification_of_occurrence",
        "notification",
        ["occurrence_id", "user_id", "kind"],
        unique=True,
        postgresql_where=sa.text("occurrence_id IS NOT NULL"),
    )
    _raise_the_fence()
    _write_the_ledger_once()
    _write_alerts_once()


def _raise_the_fence() -> None:
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    for function in (REGISTRATION_IS_OPEN, NOTHING_LEFT_BEHIND, FENCE):
        op.execute(function.replace("{path}", f"{schema}, pg_temp").replace("{plans}", PLANS))
    for table in RECORDS:
        op.drop_constraint(f"fk_{table}_registration", table, type_="foreignkey")
        op.execute(f"SELECT fence('{table}')")
    for event, tables in (
        ("UPDATE", "REFERENCING OLD TABLE AS before NEW TABLE AS after"),
        ("DELETE", "REFERENCING OLD TABLE AS before"),
        ("TRUNCATE", ""),
    ):
        op.execute(
            f"CREATE TRIGGER nothing_left_behind_on_{event.lower()} AFTER {event} ON enrolment {tables} "
            "FOR EACH STATEMENT EXECUTE FUNCTION nothing_left_behind()"
        )
    op.execute("ALTER TABLE enrolment ADD COLUMN registered_xid xid8 DEFAULT pg_current_xact_id() NOT NULL")
    op.execute("DROP TRIGGER notes_its_transaction ON enrolment")
    op.execute(NOTES_ITS_TRANSACTION)
    op.execute(NOTE_IT)


def _write_the_ledger_once() -> None:
    op.execute("ALTER TABLE reset ADD COLUMN as_of pg_snapshot")
    op.execute("UPDATE reset SET as_of = pg_current_snapshot() WHERE state IN ('requested', 'running')")
    op.add_column(
        "reset_slice",
        sa.Column("members", postgresql.ARRAY(sa.BigInteger()), server_default="{}", nullable=False),
    )
    # Beside the table: its rows are updated, and read by every look at the progress.
    op.execute("ALTER TABLE reset_slice ALTER COLUMN members SET STORAGE EXTERNAL")
    op.execute(
        """
        UPDATE reset_slice s SET members = ARRAY(
            SELECT i.enrolment_id FROM reset_item i
            WHERE i.reset_id = s.reset_id AND i.enrolment_id BETWEEN s.first AND s.last AND i.state = 'pending'
            ORDER BY 1)
        WHERE s.settled_at IS NULL
        """
    )
    op.execute("DELETE FROM reset_item WHERE state = 'pending'")
    op.drop_constraint("fk_reset_item_reset_id", "reset_item", type_="foreignkey")
    op.drop_constraint("fk_reset_item_enrolment_id", "reset_item", type_="foreignkey")
    op.drop_index("uq_reset_item_open", "reset_item")
    op.drop_index("ix_reset_item_enrolment_id", "reset_item")
    op.alter_column("reset_item", "state", server_default=None)


def _write_alerts_once() -> None:
    op.drop_constraint("uq_notification_occurrence_id_user_id_kind", "notification", type_="unique")
    op.drop_constraint("fk_notification_course_id", "notification", type_="foreignkey")
    op.drop_index("ix_notification_course_id", "notification")
    op.drop_index("ix_notification_unread", "notification")


def downgrade() -> None:
    op.create_index(
        "ix_notification_unread",
        "notification",
        ["user_id"],
        postgresql_where=sa.text("state = 'sent' AND read_at IS NULL"),
    )
    op.create_index("ix_notification_course_id", "notification", ["course_id"])
    op.create_foreign_key("fk_notification_course_id", "notification", "course", ["course_id"], ["id"])
    op.drop_index("uq_notification_of_occurrence", "notification")
    op.create_unique_constraint(
        "uq_notification_occurrence_id_user_id_kind", "notification", ["occurrence_id", "user_id", "kind"]
    )
    op.alter_column("reset_item", "state", server_default="pending")
    op.create_index("ix_reset_item_enrolment_id", "reset_item", ["enrolment_id"])
    op.execute(
        """
        INSERT INTO reset_item (reset_id, enrolment_id)
        SELECT reset_id, unnest(members) FROM reset_slice WHERE settled_at IS NULL ON CONFLICT DO NOTHING
        """
    )
    op.create_index(
        "uq_reset_item_open", "reset_item", ["enrolment_id"], unique=True, postgresql_where=sa.text("state = 'pending'")
    )
    op.create_foreign_key("fk_reset_item_enrolment_id", "reset_item", "enrolment", ["enrolment_id"], ["id"])
    op.create_foreign_key("fk_reset_item_reset_id", "reset_item", "reset", ["reset_id"], ["id"])
    op.drop_index("ix_reset_slice_alerts_due", "reset_slice")
    op.drop_column("reset_slice", "alerts_due")
    op.drop_column("reset_slice", "members")
    op.drop_column("reset", "as_of")
    op.execute("DROP TRIGGER notes_its_transaction ON enrolment")
    op.execute(
        """
        CREATE TRIGGER notes_its_transaction BEFORE UPDATE OF unassigned_at, completed_at ON enrolment FOR EACH ROW
        WHEN ((new.unassigned_at IS NULL AND old.unassigned_at IS NOT NULL)
              OR (new.completed_at IS NOT NULL AND new.completed_at IS DISTINCT FROM old.completed_at))
        EXECUTE FUNCTION enrolment_notes_its_transaction()
        """
    )
    op.execute(
        NOTES_ITS_TRANSACTION.replace(
            """    IF new.registration <> old.registration THEN
        new.registered_xid := pg_current_xact_id();
    END IF;
""",
            "",
        )
    )
    op.drop_column("enrolment", "registered_xid")
    for event in ("update", "delete", "truncate"):
        op.execute(f"DROP TRIGGER nothing_left_behind_on_{event} ON enrolment")
    op.execute("DROP FUNCTION fence(regclass)")
    op.execute("DROP FUNCTION registration_is_open CASCADE")
    op.execute("DROP FUNCTION nothing_left_behind")
    for table in RECORDS:
        op.create_foreign_key(f"fk_{table}_registration", table, "enrolment", ["registration"], ["registration"])
