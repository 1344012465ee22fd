"""What the role of the application may do: enough for its work, and nothing to the audit but add to it and read it."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from models.base import Base
from models.versions import VERSION_TABLE

USUAL = "SELECT, INSERT, UPDATE, DELETE"
# Tables of which less is enough.
LESS = {
    "audit": "SELECT, INSERT",  # what is old goes by forget_audit_before, which keeps the last 90 days
    VERSION_TABLE: "SELECT",
}
CELERY_TABLES = ("celery_taskmeta", "celery_tasksetmeta")
CELERY_SEQUENCES = ("task_id_sequence", "taskset_id_sequence")
FUNCTIONS = ("forget_audit_before(timestamptz, integer)", "forget_person_in_audit(bigint, text)")


class RoleUnfitError(Exception):
    """The role cannot be one of few rights. Its words say why, and what to do."""


def grants(connection: Connection, role: str) -> list[str]:
    """The statements that give the role what it needs, and take from it what it may have had besides."""
    quoted = connection.dialect.identifier_preparer.quote
    schema, to = quoted(str(connection.scalar(text("SELECT current_schema()")))), quoted(role)
    tables = [*(table.name for table in Base.metadata.sorted_tables), *CELERY_TABLES, VERSION_TABLE]

    def statements() -> Iterator[str]:
        yield f"GRANT USAGE ON SCHEMA {schema} TO {to}"
        yield f"REVOKE CREATE ON SCHEMA {schema} FROM {to}"
        for table in sorted(tables):
            yield f"REVOKE ALL ON TABLE {schema}.{quoted(table)} FROM {to}"
            yield f"GRANT {LESS.get(table, USUAL)} ON TABLE {schema}.{quoted(table)} TO {to}"
        for sequence in CELERY_SEQUENCES:
            yield f"GRANT USAGE ON SEQUENCE {schema}.{sequence} TO {to}"
        for function in FUNCTIONS:
            yield f"GRANT EXECUTE ON FUNCTION {schema}.{function} TO {to}"

    return list(statements())


def check_role(connection: Connection, role: str) -> None:
    """Raises `RoleUnfitError` for a role that there is not, or that could do everything whatever is granted to it."""
    asked = text("""
        SELECT rolsuper, EXISTS (
            SELECT FROM pg_class
            WHERE relname = 'audit' AND relnamespace = current_schema()::regnamespace
              AND pg_has_role(pg_roles.oid, relowner, 'MEMBER'))
        FROM pg_roles WHERE rolname = :role
    """)
    found = connection.execute(asked, {"role": role}).one_or_none()
    if found is None:
        raise RoleUnfitError(f"There is no role {role}. Make it first: CREATE ROLE {role} LOGIN PASSWORD '…'.")
    if found[0]:
        raise RoleUnfitError(
            f"The role {role} is a superuser, and may do everything whatever it is granted. Name another."
        )
    if found[1]:
        raise RoleUnfitError(f"The role {role} owns the tables, and may do everything with them. Name another.")
