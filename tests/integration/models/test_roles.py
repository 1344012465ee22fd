"""The application's role in the database: it has the privileges its work needs, and no others."""

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import errors

from models.grants import LESS
from tests.conftest import PROJECT
from tests.databases import APP, made_database, recourse_on, values, with_roles
from tests.integration.models.test_shared_database import reset_on


@dataclass(frozen=True)
class Roles:
    """The URLs of the superuser, the application and the owner of the tables."""

    superuser: str
    app: str
    owner: str


@pytest.fixture
def roles(database: str) -> Iterator[Roles]:
    """A database with an owner and a role of few rights, migrated as the guide says."""
    with made_database(database, "recourse_roles") as url, with_roles(url) as (app, owner):
        migrated = recourse_on(app, "database", "upgrade", migration_database_url=owner)
        assert migrated.returncode == 0, migrated.stderr
        assert f"The role {APP} has the rights that the application needs." in migrated.stdout
        yield Roles(url, app, owner)


FORBIDDEN = [
    "UPDATE audit SET actor = 'nobody'",
    "DELETE FROM audit",
    "TRUNCATE audit",
    "ALTER TABLE audit DISABLE TRIGGER append_only",
    "ALTER TABLE audit DISABLE TRIGGER ALL",
    "DROP TRIGGER append_only ON audit",
    "DROP TABLE audit",
    "CREATE OR REPLACE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "SET session_replication_role TO replica",
    "SET recourse.forgetting TO 'by its rule'; DELETE FROM audit",
    "SELECT forget_audit_before(now(), 1000000)",
    "SELECT forget_audit_before(NULL, 1000000)",
    "CREATE TABLE mine (id int)",
    "CREATE SCHEMA mine",
    "ALTER TABLE course ADD COLUMN mine text",
    "DROP INDEX ix_audit_at",
    "UPDATE recourse_version SET version_num = '0001'",
    "SET ROLE recourse_owner",
    "ALTER ROLE recourse_app SUPERUSER",
    "CREATE ROLE mine",
]


def test_the_application_works_with_few_rights_and_has_no_more(roles: Roles, subtests: pytest.Subtests) -> None:
    with subtests.test("a reset runs to its end, and Celery keeps its result"):
        said = reset_on(roles.app)
        assert said == {"state": "succeeded", "cleared": 3, "result": "SUCCESS"}
    before = values(roles.superuser, "SELECT * FROM audit ORDER BY id")
    assert before
    for statement in FORBIDDEN:
        with subtests.test(statement), pytest.raises((errors.InsufficientPrivilege, errors.RaiseException)):
            values(roles.app, statement)
    assert values(roles.superuser, "SELECT * FROM audit ORDER BY id") == before
    with subtests.test("and the command line works with it"):
        listed = recourse_on(roles.app, "resets")
        assert listed.returncode == 0, listed.stderr
        assert "FIRE-101" in listed.stdout


def test_an_old_audit_is_forgotten_by_the_owners_rule_alone(roles: Roles) -> None:
    organization = "INSERT INTO organization (slug, name) VALUES ('acme', 'Acme') RETURNING id"
    [(acme,)] = values(roles.app, organization)
    for days in (1, 89, 91, 200, 400):
        values(
            roles.app,
            "INSERT INTO audit (at, organization_id, actor, action, subject, details) "
            f"VALUES (now() - interval '{days} days', {acme}, 'user:1', 'reset.requested', '{days}', '{{}}')",
        )
    left = "SELECT subject FROM audit ORDER BY at"
    # The oldest first, and no more than asked for
    assert values(roles.app, "SELECT forget_audit_before(now() - interval '100 days', 1)") == [(1,)]
    assert values(roles.app, left) == [("200",), ("91",), ("89",), ("1",)]
    assert values(roles.app, "SELECT forget_audit_before(now() - interval '100 days', 100)") == [(1,)]
    assert values(roles.app, left) == [("91",), ("89",), ("1",)]
    with pytest.raises(errors.RaiseException, match="keeps the last 90 days"):
        values(roles.app, "SELECT forget_audit_before(now() - interval '89 days', 100)")
    # A table of the caller's own is not mistaken for the audit, and nobody else may call it
    with psycopg.connect(roles.app.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TEMPORARY TABLE audit (id bigint, at timestamptz)")
        connection.execute("INSERT INTO pg_temp.audit VALUES (1, '2000-01-01')")
        connection.execute("SELECT forget_audit_before(now() - interval '90 days', 100)")
        assert connection.execute("SELECT count(*) FROM pg_temp.audit").fetchall() == [(1,)]
    assert values(roles.app, left) == [("89",), ("1",)]
    acl = "SELECT proacl::text FROM pg_proc WHERE proname = 'forget_audit_before'"
    [(granted,)] = values(roles.superuser, acl)
    assert "{=X" not in granted
    assert ",=X" not in granted


def test_what_is_granted_is_what_the_models_say_and_what_the_guide_lists(roles: Roles) -> None:
    sql = recourse_on(roles.app, "database", "grant", APP, "--sql", migration_database_url=roles.owner).stdout
    assert "GRANT SELECT, INSERT ON TABLE public.audit TO recourse_app;" in sql
    assert 'GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE public."user" TO recourse_app;' in sql
    # Too much, of another time, is taken back
    values(roles.superuser, f"GRANT UPDATE, DELETE, TRIGGER ON audit TO {APP}")
    done = recourse_on(roles.app, "database", "grant", APP, migration_database_url=roles.owner)
    assert done.returncode == 0, done.stderr
    granted = (
        f"SELECT privilege_type FROM information_schema.role_table_grants WHERE grantee = '{APP}' AND table_name = "
    )
    assert {right for (right,) in values(roles.superuser, granted + "'audit'")} == {"SELECT", "INSERT"}
    # No table is without
    without = (
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace "
        f"AND NOT has_table_privilege('{APP}', oid, 'SELECT')"
    )
    assert values(roles.superuser, without) == []
    guide = (PROJECT / "docs" / "operate.md").read_text()
    for table, rights in LESS.items():
        assert f"| `{table}` | {rights} |" in guide


def test_a_role_that_could_do_everything_anyway_is_refused(roles: Roles) -> None:
    for role, why in (("recourse", "superuser"), ("recourse_owner", "owns the tables"), ("nobody_here", "no role")):
        refused = recourse_on(roles.owner, "database", "grant", role)
        assert refused.returncode == 2
        assert why in refused.stderr


def test_a_role_without_grants_is_told_what_to_do(roles: Roles) -> None:
    values(roles.superuser, f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {APP}")
    refused = recourse_on(roles.app, "resets")
    assert refused.returncode == 2
    assert f"`recourse database grant {APP}`" in " ".join(refused.stderr.split())
    # … and an upgrade that was interrupted before it granted does it now
    again = recourse_on(roles.app, "database", "upgrade", migration_database_url=roles.owner)
    assert again.returncode == 0, again.stderr
    assert values(roles.app, "SELECT count(*) FROM reset") == [(0,)]
