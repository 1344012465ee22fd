"""A rolling rule over 100,000 enrolments finds due completions through an index, in milliseconds."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from models.session import Session, engine, transaction
from tasks.rules.dry_run import dry_run
from tasks.rules.next_due import next_due_of
from tasks.rules.occurrences import due_enrolments
from tasks.rules.terms import terms_of
from tests.rules import ROLLING, at, make, occurrences, rule_of, tick
from tests.scenes import ask, make_scene, run

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
ENROLMENTS = 100_000
MOST_MILLISECONDS = 50  # on an idle machine a scan of the table takes about 30, the index less than 1


@contextmanager
def statements(session: Session) -> Iterator[list[tuple[str, Any]]]:
    """The statements about completions that are executed in the scope, with their parameters."""
    found: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, values: Any, *_: object) -> None:
        if "enrolment.completed_at" in statement:
            found.append((statement, values))

    event.listen(engine(), "before_cursor_execute", note)
    yield found
    event.remove(engine(), "before_cursor_execute", note)


@pytest.mark.usefixtures("database")
def test_due_completions_among_a_hundred_thousand_are_found_through_an_index() -> None:
    # Given 100,000 learners who completed one course over two years, about 140 a day
    scene = make_scene(learners=1)
    run(
        """INSERT INTO "user" (organization_id, email, name)
           SELECT :organization, 'many-' || n || '@acme.example', 'Many ' || n FROM generate_series(1, :count) n""",
        organization=scene.organization.id,
        count=ENROLMENTS,
    )
    run(
        """INSERT INTO enrolment (organization_id, user_id, course_id, state, progress, assigned_at, completed_at)
           SELECT u.organization_id, u.id, :course, 'completed', 100, '2024-01-01',
                  timestamptz '2024-01-01 00:00Z' + (u.id * 7919 % 1050000) * interval '1 minute'
           FROM "user" u WHERE u.email LIKE 'many-%'""",
        course=scene.course.id,
    )
    run("ANALYZE enrolment")
    rule_id = make(scene, JANUARY, **ROLLING)
    rule = rule_of(rule_id)

    # When a tick looks for what is due on a day, the list for the next due time, and a dry run for the next twelve
    with at(JANUARY), transaction() as session, statements(session) as asked:
        due = session.scalars(due_enrolments(rule, date(2026, 3, 1), JANUARY)).all()
        assert next_due_of(session, rule, terms_of(session, rule)) == datetime(2026, 1, 1, 6, tzinfo=UTC)
        ahead = dry_run(session, scene.organization.id, terms_of(session, rule))
    assert 100 < len(due) < 200
    assert len(ahead) == 12
    assert all(100 < one.learners < 200 for one in ahead)

    # Then each of their queries uses the index, and reads little
    assert len(asked) == 1 + 1 + 12 * 3
    with transaction() as session:
        for statement, values in asked:
            explained = session.connection().exec_driver_sql(f"EXPLAIN (ANALYZE, COSTS OFF) {statement}", values)
            plan = "\n".join(explained.scalars())
            print(plan)  # noqa: T201 - with `pytest -s`, to look at
            assert "ix_enrolment_completed" in plan
            assert "Seq Scan on enrolment" not in plan
            took = float(next(line for line in plan.splitlines() if line.startswith("Execution Time")).split()[2])
            assert took < MOST_MILLISECONDS

    # And a tick writes an occurrence for each learner who is due, and none before.
    tick(datetime(2026, 3, 1, 6, tzinfo=UTC) - timedelta(days=1))
    before = ask("SELECT count(*) FROM occurrence")
    tick(datetime(2026, 3, 1, 6, tzinfo=UTC) - timedelta(seconds=1))
    assert ask("SELECT count(*) FROM occurrence") == before
    tick(datetime(2026, 3, 1, 6, tzinfo=UTC))
    with transaction() as session:
        due = session.scalar(
            text(
                "SELECT count(*) FROM enrolment WHERE course_id = :course "
                "AND completed_at >= '2025-03-01 00:00Z' AND completed_at < '2025-03-02 00:00Z'"
            ),
            {"course": scene.course.id},
        )
    assert 100 < due < 200
    assert sum(at == datetime(2026, 3, 1, 6, tzinfo=UTC) for at, _, _ in occurrences(rule_id)) == due
