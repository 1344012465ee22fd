"""The privileges of the application's role: what its work needs. In the audit, it can only add and read."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from models.base import Base
from models.versions import VERSION_TABLE

USUAL = "SELECT, INSERT, UPDATE, DELETE"
# Tables that need fewer privileges.
LESS = {
    "audit": "SELECT, INSERT",  # forget_audit_before deletes old entries, and keeps the last 90 days
    VERSION_TABLE: "SELECT",
}
CELERY_TABLES = ("celery_taskmeta", "celery_tasksetmeta")
CELERY_SEQUENCES = ("task_id_sequence", "taskset_id_sequence")
FUNCTIONS = ("forget_audit_before(timestamptz, integer)", "forget_person_in_audit(bigint, text)")


class RoleUnfitError(Exception):
    """The role cannot be limited to these privileges. The message says why, and what to do."""


def grants(connection: Connection, role: str) -> list[str]:
    """Returns the statements that grant the role what it needs, and revoke everything else."""
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
    """Raise `RoleUnfitError` if the role does not exist, or has all privileges whatever is granted to it."""
    query = text("""
        SELECT rolsuper, EXISTS (
            SELECT FROM pg_class
            WHERE relname = 'audit' AND relnamespace = current_schema()::regnamespace
              AND pg_has_role(pg_roles.oid, relowner, 'MEMBER'))
        FROM pg_roles WHERE rolname = :role
    """)
    found = connection.execute(query, {"role": role}).one_or_none()
    if found is None:
        raise RoleUnfitError(f"There is no role {role}. Create it first: CREATE ROLE {role} LOGIN PASSWORD '…'.")
    if found[0]:
        raise RoleUnfitError(f"The role {role} is a superuser, so grants cannot limit it. Choose another role.")
    if found[1]:
        raise RoleUnfitError(f"The role {role} owns the tables, so grants cannot limit it. Choose another role.")
