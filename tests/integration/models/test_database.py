"""What the database itself keeps to, whoever writes to it."""

from collections.abc import Callable

import pytest
from alembic import command
from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError, IntegrityError

from models import metadata
from models.records import LearnerRecord, record_kinds
from models.resets import Audience, Reset
from models.session import forget_engine, transaction
from models.training import Enrolment
from tasks.reset.audience import in_audience
from tests.conftest import alembic_config
from tests.post import Post
from tests.scenes import ask, make_scene, rows, run

pytestmark = pytest.mark.usefixtures("database")

# Tables that refer to a learner's enrolment and are not cleared by a reset, each with the reason.
KEPT = {
    "occurrence": "when the learner was due by a retraining rule, and nothing of what they did",
    "mail_alert": "which e-mail carried which alert",
    "notification": "the alerts: that the course is to be done, or is going to be reset",
}


def tables() -> list[str]:
    return [name for (name,) in rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")]


def test_migrations_and_models_agree() -> None:
    command.check(alembic_config())


def test_the_check_of_migrations_and_models_can_fail() -> None:
    run("ALTER TABLE course ADD COLUMN forgotten text")
    with pytest.raises(Exception, match=r"New upgrade operations detected.*forgotten"):
        command.check(alembic_config())


def test_all_migrations_go_down_and_up_again() -> None:
    before = tables()
    command.downgrade(alembic_config(), "base")
    assert {table for table in tables() if not table.startswith("celery_")} == {"recourse_version"}
    assert ask("SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace") == 0
    command.upgrade(alembic_config(), "head")
    assert tables() == before
    command.check(alembic_config())


FOREIGN_KEYS_WITHOUT_INDEX = """
SELECT c.conrelid::regclass::text, c.conname FROM pg_constraint c
WHERE c.contype = 'f' AND NOT EXISTS (
    SELECT FROM pg_index i
    WHERE i.indrelid = c.conrelid AND i.indisvalid
      -- A lookup by a key is never by NULL, so an index without NULLs serves it.
      AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) = format('(%s IS NOT NULL)', (
          SELECT attname FROM pg_attribute WHERE attrelid = c.conrelid AND attnum = c.conkey[1])))
      AND (string_to_array(i.indkey::text, ' ')::int2[])[1:cardinality(c.conkey)] @> c.conkey
      AND c.conkey @> (string_to_array(i.indkey::text, ' ')::int2[])[1:cardinality(c.conkey)])
ORDER BY 1, 2
"""


def test_every_foreign_key_has_an_index_that_leads_with_its_columns() -> None:
    assert ask("SELECT count(*) FROM pg_constraint WHERE contype = 'f'") > 15
    assert rows(FOREIGN_KEYS_WITHOUT_INDEX) == []


def test_a_foreign_key_without_an_index_would_be_seen() -> None:
    run("DROP INDEX ix_discussion_post_activity_id")
    assert rows(FOREIGN_KEYS_WITHOUT_INDEX) == [("discussion_post", "fk_discussion_post_activity_id")]


@pytest.mark.parametrize(
    "statement", ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit", "TRUNCATE audit", "TRUNCATE audit CASCADE"]
)
def test_the_audit_only_grows(statement: str) -> None:
    scene = make_scene(learners=1)
    scene.request()
    before = rows("SELECT * FROM audit")
    assert before
    with pytest.raises(DBAPIError, match="the audit is append-only"):
        run(statement)
    assert rows("SELECT * FROM audit") == before


def test_a_learner_is_settled_once_in_a_reset() -> None:
    scene = make_scene(learners=1)
    reset, [enrolment] = scene.request(), scene.enrolments()
    insert = "INSERT INTO reset_item (reset_id, enrolment_id, state) VALUES (:reset, :enrolment, 'cleared')"
    run(insert, reset=reset, enrolment=enrolment.id)
    with pytest.raises(IntegrityError, match="pk_reset_item"):
        run(insert, reset=reset, enrolment=enrolment.id)


def test_a_user_has_one_alert_a_reset_at_most() -> None:
    scene = make_scene(learners=1)
    reset, [user] = scene.request(), scene.users()
    insert = "INSERT INTO notification (reset_id, user_id, course_id) VALUES (:reset, :user, :course)"
    run(insert, reset=reset, user=user.id, course=scene.course.id)
    with pytest.raises(IntegrityError, match="uq_notification_reset_id_user_id"):
        run(insert, reset=reset, user=user.id, course=scene.course.id)


@pytest.mark.parametrize("whose", ["course", "user"])
def test_nothing_joins_two_organizations(whose: str) -> None:
    ours, theirs = make_scene("acme", 1), make_scene("globex", 1)
    values = {"organization": ours.organization.id, "user": ours.users()[0].id, "course": ours.course.id}
    values |= {"course": theirs.course.id} if whose == "course" else {"user": theirs.users()[0].id}
    with pytest.raises(IntegrityError, match=f"fk_enrolment_{whose}_id_organization_id"):
        run(
            "INSERT INTO enrolment (organization_id, user_id, course_id) VALUES (:organization, :user, :course)",
            **values,
        )


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("state = 'in_progress', progress = 101", "progress_is_percent"),
        ("progress = 10", "assigned_means_nothing_done"),
        ("state = 'completed', progress = 100", "completed_has_its_moment"),
        ("state = 'completed', progress = 99, completed_at = now()", "completed_means_all_done"),
        ("state = 'forgotten'", "state"),
    ],
)
def test_an_enrolment_never_contradicts_itself(change: str, rule: str) -> None:
    make_scene(learners=1, completed=0, begun=0)
    with pytest.raises(IntegrityError, match=rule):
        run(f"UPDATE enrolment SET {change}")


def test_a_reset_without_a_reason_cannot_be_written() -> None:
    make_scene(learners=1).request()
    with pytest.raises(IntegrityError, match="reason_is_given"):
        run("UPDATE reset SET reason = '  '")


def refers_to_enrolment() -> set[str]:
    """The tables that are fenced or have a foreign key to an enrolment, those with a foreign key to them, and so on."""
    edges = rows("SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'")
    fenced = "SELECT tgrelid::regclass::text, 'enrolment' FROM pg_trigger WHERE tgname LIKE 'registration_is_open%'"
    edges = [*edges, *rows(fenced)]
    found = {"enrolment"}
    while more := {table for table, target in edges if target in found} - found:
        found |= more
    return found - {"enrolment"}


def test_what_refers_to_an_enrolment_is_cleared_or_kept_for_a_reason() -> None:
    kinds = {kind.kind() for kind in record_kinds()}
    assert refers_to_enrolment() == kinds | set(KEPT), "make it a LearnerRecord, or say in KEPT why it stays"
    assert not kinds & set(KEPT)


def test_a_new_table_about_learners_would_be_noticed() -> None:
    run("CREATE TABLE bookmark (registration uuid REFERENCES enrolment (registration), page int)")
    assert "bookmark" in refers_to_enrolment()


@pytest.mark.parametrize("kind", record_kinds(), ids=lambda kind: kind.kind())
def test_a_record_kind_has_an_index_that_leads_with_the_registration(kind: type[LearnerRecord]) -> None:
    leading = rows(
        """SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
           WHERE i.indrelid = CAST(:table AS regclass) AND i.indpred IS NULL""",
        table=kind.kind(),
    )
    assert ("registration",) in leading


@pytest.mark.parametrize("kind", record_kinds(), ids=lambda kind: kind.kind())
def test_a_record_kind_has_words_for_one_and_for_many(kind: type[LearnerRecord]) -> None:
    one, many = kind.labels
    assert one
    assert many
    assert one != many


def test_every_table_of_the_models_is_in_the_database() -> None:
    assert set(metadata.tables) <= set(tables())


def plan_of(statement: object) -> str:
    compiled = statement.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})  # type: ignore[attr-defined]
    with transaction() as session:
        return "\n".join(session.connection().exec_driver_sql(f"EXPLAIN {compiled}").scalars())


def test_the_hot_statements_use_an_index_in_a_large_database(set_up: Callable[..., None]) -> None:
    # Given 20,000 enrolments in 100 courses of which two are of interest
    scene = make_scene(learners=200, completed=100, begun=100)
    run(
        """INSERT INTO course (organization_id, code, title)
           SELECT :organization, 'C-' || n, 'Course' FROM generate_series(1, 100) n""",
        organization=scene.organization.id,
    )
    run(
        """INSERT INTO enrolment (organization_id, user_id, course_id)
           SELECT u.organization_id, u.id, c.id FROM "user" u JOIN course c USING (organization_id)
           WHERE u.email LIKE 'learner-%' AND c.code LIKE 'C-%'"""
    )
    run(
        """INSERT INTO discussion_post (registration, activity_id, body)
           SELECT registration, (SELECT min(id) FROM activity), 'post' FROM enrolment"""
    )
    assert ask("SELECT count(*) FROM enrolment") > 20_000
    run("ANALYZE")
    registrations = [enrolment.registration for enrolment in scene.enrolments()[:50]]

    # Then neither the delete of a slice nor the look-up of the audience reads a whole table
    for kind in record_kinds():
        if ask(f"SELECT count(*) FROM {kind.kind()}") > 10_000:
            plan = plan_of(delete(kind).where(kind.registration.in_(registrations)))
            assert "Seq Scan" not in plan, plan
            break
    else:
        pytest.fail("no table was filled")
    asked = Reset(course_id=scene.course.id, audience=Audience.COMPLETED, planned_at=scene.preview().plan.planned_at)
    plan = plan_of(select(Enrolment.id).where(in_audience(asked)))
    assert "ix_enrolment_completed" in plan, plan
    assert "Seq Scan" not in plan, plan


def test_a_lost_connection_is_made_again(post: Post) -> None:
    scene = make_scene(learners=1)
    run("SELECT 1")
    with pytest.raises(DBAPIError):
        run("SELECT pg_terminate_backend(pg_backend_pid())")
    reset = scene.request()
    post.drain()
    assert ask("SELECT state FROM reset WHERE id = :id", id=reset) == "succeeded"
    forget_engine()
