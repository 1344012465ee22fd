"""How long things are kept, who was erased, a journal for backups; and the indexes of what runs by the clock."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# name, table, columns, condition
INDEXES: tuple[tuple[str, str, list[str], str | None], ...] = (
    ("ix_reset_unreported", "reset", ["task_id"], "finished_at IS NOT NULL AND reported_at IS NULL"),
    (
        "ix_reset_not_well",
        "reset",
        ["organization_id", "requested_at", "id"],
        "state IN ('partly_failed', 'failed', 'cancelled')",
    ),
    ("ix_reset_in_full", "reset", ["finished_at"], "finished_at IS NOT NULL AND figures IS NULL"),
    ("ix_reset_with_ledger", "reset", ["finished_at"], "finished_at IS NOT NULL AND details_deleted_at IS NULL"),
    ("ix_reset_without_ledger", "reset", ["finished_at"], "details_deleted_at IS NOT NULL"),
    ("ix_reset_uncounted", "reset", ["id"], "NOT counted"),
    ("ix_notification_user_id_id", "notification", ["user_id", "id"], None),
    ("ix_notification_unread", "notification", ["user_id"], "state = 'sent' AND read_at IS NULL"),
    ("ix_mail_created_at", "mail", ["created_at"], None),
    ("ix_occurrence_over", "occurrence", ["due_at"], "state IN ('settled', 'skipped')"),
    ("ix_training_event_reported_at", "training_event", ["reported_at"], None),
    ("ix_sign_in_failure_at", "sign_in_failure", ["at"], None),
)
# table, column, of which table, what becomes of the row
REFERENCES = (
    ("mail_alert", "notification_id", "notification", "CASCADE"),
    ("mail_alert", "mail_id", "mail", "CASCADE"),
    ("notification", "occurrence_id", "occurrence", "SET NULL"),
    ("reset_slice", "reset_id", "reset", "CASCADE"),
)


# A person's address and name, wherever they stand as such in a text. An address may have a key's words around it, as in
# reset-kim@acme.example-2027; a name may not be a part of an address. `in_json` says that the text is JSON.
WITHOUT_PERSON = r"""
CREATE FUNCTION without_person(words text, address text, name text, pseudonym text, in_json boolean DEFAULT false)
RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    said text[] := ARRAY[address, name];
    before text[] := ARRAY['(?<![[:alnum:]])', '(?<![[:alnum:]_.+@-])'];
    after text[] := ARRAY['(?![[:alnum:]]|\.[[:alnum:]])', '(?![[:alnum:]_@-]|\.[[:alnum:]])'];
    word text;
BEGIN
    FOR place IN 1 .. 2 LOOP
        word := said[place];
        IF in_json THEN
            word := substr(to_json(word)::text, 2, length(to_json(word)::text) - 2);
            before[place] := '(?:' || before[place] || '|(?<=\\[bfnrt]))';  -- a line break is a letter there
        END IF;
        CONTINUE WHEN word = '' OR strpos(lower(words), lower(word)) = 0;
        word := regexp_replace(word, '([^[:alnum:]])', '\\\1', 'g');
        words := regexp_replace(words, before[place] || word || after[place], pseudonym, 'gi');
    END LOOP;
    RETURN words;
END $$
"""

# The doors through the audit's guard: entries can be forgotten once they are old, and nothing of them can be changed
# but that a person who is being erased is no longer named. Both run as the owner: others need no right to the table.
FORGET = """
CREATE FUNCTION forget_audit_before(before timestamptz, most int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO {schema}, pg_temp AS $$
DECLARE
    forgotten int;
BEGIN
    IF before IS NULL OR before > now() - interval '90 days' THEN
        RAISE EXCEPTION 'the audit keeps the last 90 days, whoever asks';
    END IF;
    PERFORM set_config('recourse.audit_door', 'forget', true);
    DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < before ORDER BY at LIMIT greatest(most, 0));
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    PERFORM set_config('recourse.audit_door', '', true);
    RETURN forgotten;
END $$
"""
REDACT = """
CREATE FUNCTION forget_person_in_audit(person bigint, pseudonym text) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO {schema}, pg_temp AS $$
DECLARE
    changed int;
BEGIN
    PERFORM set_config('recourse.audit_door', 'person', true);
    UPDATE audit a SET details = without_person(a.details::text, u.email, u.name, pseudonym, true)::jsonb
    FROM "user" u
    WHERE u.id = person AND a.organization_id = u.organization_id
      AND a.details::text <> without_person(a.details::text, u.email, u.name, pseudonym, true);
    GET DIAGNOSTICS changed = ROW_COUNT;
    PERFORM set_config('recourse.audit_door', '', true);
    RETURN changed;
END $$
"""
GUARD = """
CREATE FUNCTION audit_keeps_what_is_young() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    door text := coalesce(current_setting('recourse.audit_door', true), '');
BEGIN
    IF TG_OP = 'DELETE' AND door = 'forget' AND old.at < now() - interval '90 days' THEN
        RETURN old;
    END IF;
    IF TG_OP = 'UPDATE' AND door = 'person'
        AND (new.id, new.at, new.organization_id, new.actor, new.action, new.subject)
          = (old.id, old.at, old.organization_id, old.actor, old.action, old.subject)
    THEN
        RETURN new;
    END IF;
    RAISE EXCEPTION 'the audit is append-only';
END $$
"""
AUDIT_GUARD = (
    WITHOUT_PERSON,
    "DROP TRIGGER append_only ON audit",
    "CREATE TRIGGER append_only BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()",
    GUARD,
    """CREATE TRIGGER keeps_what_is_young BEFORE UPDATE OR DELETE ON audit
       FOR EACH ROW EXECUTE FUNCTION audit_keeps_what_is_young()""",
    FORGET,
    REDACT,
)
AUDIT_GUARD_BEFORE = (
    "DROP FUNCTION forget_person_in_audit(bigint, text)",
    "DROP FUNCTION forget_audit_before(timestamptz, int)",
    "DROP TRIGGER keeps_what_is_young ON audit",
    "DROP FUNCTION audit_keeps_what_is_young()",
    "DROP TRIGGER append_only ON audit",
    """CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
       FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()""",
    "DROP FUNCTION without_person(text, text, text, text, boolean)",
)


def upgrade() -> None:
    op.create_table(
        "tally",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tally")),
    )
    op.create_table(
        "journal_entry",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("said", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_entry")),
    )
    op.add_column("user", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("reset", sa.Column("figures", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("reset", sa.Column("details_deleted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("reset", sa.Column("counted", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.drop_index("ix_reset_unreported", table_name="reset")
    op.drop_index("ix_notification_user_id_sent_at", table_name="notification")
    for name, table, columns, where in INDEXES:
        op.create_index(name, table, columns, postgresql_where=sa.text(where) if where else None)
    op.create_index("ix_api_token_ended", "api_token", [sa.literal_column("LEAST(revoked_at, expires_at)")])
    for table, column, of, deed in REFERENCES:
        _refer(table, column, of, f" ON DELETE {deed}")
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    for statement in AUDIT_GUARD:
        op.execute(statement.replace("{schema}", schema))
    op.execute("REVOKE ALL ON FUNCTION forget_audit_before, forget_person_in_audit FROM PUBLIC")


def downgrade() -> None:
    for statement in AUDIT_GUARD_BEFORE:
        op.execute(statement)
    for table, column, of, _ in REFERENCES:
        _refer(table, column, of, "")
    op.drop_index("ix_api_token_ended", table_name="api_token")
    for name, table, _, _ in INDEXES:
        op.drop_index(name, table_name=table)
    op.create_index("ix_notification_user_id_sent_at", "notification", ["user_id", "sent_at"])
    op.create_index(
        "ix_reset_unreported",
        "reset",
        ["id"],
        postgresql_where=sa.text("finished_at IS NOT NULL AND reported_at IS NULL"),
    )
    for column in ("counted", "details_deleted_at", "figures"):
        op.drop_column("reset", column)
    op.drop_column("user", "erased_at")
    op.drop_table("journal_entry")
    op.drop_table("tally")


def _refer(table: str, column: str, of: str, deed: str) -> None:
    """Make the foreign key anew. It is checked apart from that, so that no long lock is held."""
    name = f"fk_{table}_{column}"
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({column}) REFERENCES {of} (id){deed} NOT VALID")
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
