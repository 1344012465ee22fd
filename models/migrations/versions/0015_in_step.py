"""Removed users, user names of identity providers, and the names and addresses that people had before."""

import sqlalchemy as sa
from alembic import op

from models.migrations.gentle import build_index

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

COLUMNS = {"user_name": "text", "removed_at": "timestamptz", "former": "text[] DEFAULT '{}' NOT NULL"}

FUNCTION = """
CREATE OR REPLACE FUNCTION user_was_called() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    word text;
BEGIN
    IF new.active AND NOT old.active THEN
        new.removed_at := NULL;
    END IF;
    IF new.erased_at IS NOT NULL THEN
        new.former := '{}';
        RETURN new;
    END IF;
    FOREACH word IN ARRAY ARRAY[old.email, old.name, coalesce(old.user_name, '')] LOOP
        IF word <> '' AND word <> ALL (ARRAY[new.email, new.name, coalesce(new.user_name, '')] || new.former) THEN
            new.former := new.former || word;
        END IF;
    END LOOP;
    RETURN new;
END $$
"""
TRIGGER = """
CREATE OR REPLACE TRIGGER was_called BEFORE UPDATE OF email, name, user_name, active, erased_at ON "user"
FOR EACH ROW EXECUTE FUNCTION user_was_called()
"""

# As before, but with everything that the person is and was called.
REDACT = """
CREATE OR REPLACE FUNCTION forget_person_in_audit(person bigint, pseudonym text) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO {schema}, pg_temp AS $$
DECLARE
    changed int := 0;
    more int;
    owner bigint;
    word text;
    address text;
    name text;
BEGIN
    PERFORM set_config('recourse.audit_door', 'person', true);
    FOR owner, word IN
        SELECT u.organization_id, called.word
        FROM "user" u, unnest(ARRAY[u.email, u.name, u.user_name] || u.former) AS called(word)
        WHERE u.id = person AND called.word IS NOT NULL
    LOOP
        address := CASE WHEN strpos(word, '@') > 0 THEN word ELSE '' END;
        name := CASE WHEN strpos(word, '@') > 0 THEN '' ELSE word END;
        UPDATE audit a SET details = without_person(a.details::text, address, name, pseudonym, true)::jsonb
        WHERE a.organization_id = owner
          AND a.details::text <> without_person(a.details::text, address, name, pseudonym, true);
        GET DIAGNOSTICS more = ROW_COUNT;
        changed := changed + more;
    END LOOP;
    PERFORM set_config('recourse.audit_door', '', true);
    RETURN changed;
END $$
"""
REDACT_BEFORE = """
CREATE OR REPLACE FUNCTION forget_person_in_audit(person bigint, pseudonym text) RETURNS int
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


def upgrade() -> None:
    for column, kind in COLUMNS.items():
        op.execute(f'ALTER TABLE "user" ADD COLUMN IF NOT EXISTS {column} {kind}')
    build_index(
        "uq_user_organization_id_user_name",
        "user",
        ["organization_id", sa.literal_column("lower(user_name)")],
        unique=True,
        postgresql_where=sa.text("user_name IS NOT NULL"),
    )
    op.execute(FUNCTION)
    op.execute(TRIGGER)
    _redact_with(REDACT)


def downgrade() -> None:
    _redact_with(REDACT_BEFORE)
    op.execute('DROP TRIGGER was_called ON "user"')
    op.execute("DROP FUNCTION user_was_called()")
    for column in COLUMNS:  # with its index
        op.drop_column("user", column)


def _redact_with(statement: str) -> None:
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    op.execute(statement.replace("{schema}", schema))
