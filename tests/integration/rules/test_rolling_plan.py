"""A rolling rule over 100,000 enrolments: what comes due is found through an index, in milliseconds."""

import time
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import postgresql

from models.session import transaction
from tasks.rules.occurrences import due_enrolments
from tests.rules import ROLLING, make, occurrences, rule_of, tick
from tests.scenes import ask, make_scene, run

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
ENROLMENTS = 100_000
MOST_MILLISECONDS = 50  # a scan of the table takes some 30 on an idle machine; the index less than one


@pytest.mark.usefixtures("database")
def test_what_comes_due_among_a_hundred_thousand_is_found_through_an_index() -> None:
    # Given 100,000 who completed one course over two years, some 140 a day
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

    # When a tick comes at which some are due
    query = due_enrolments(rule, date(2026, 3, 1), JANUARY)
    compiled = query.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})  # type: ignore[no-untyped-call]
    with transaction() as session:
        plan = list(session.connection().exec_driver_sql(f"EXPLAIN (ANALYZE, COSTS OFF) {compiled}").scalars())
    print("\n".join(plan))  # noqa: T201 - with `pytest -s`, to look at

    # Then they are found through the index, and the table is not read
    assert "ix_enrolment_completed" in "\n".join(plan)
    assert "Seq Scan" not in "\n".join(plan)
    took = float(next(line for line in plan if line.startswith("Execution Time")).split()[2])
    assert took < MOST_MILLISECONDS

    # And a whole tick at which nobody is due takes as little, and one at which some are makes an occurrence for each.
    tick(datetime(2026, 3, 1, 6, tzinfo=UTC) - timedelta(days=1))
    before = ask("SELECT count(*) FROM occurrence")
    began = time.perf_counter()
    tick(datetime(2026, 3, 1, 6, tzinfo=UTC) - timedelta(seconds=1))
    print(f"a tick with nothing due: {(time.perf_counter() - began) * 1000:.1f} ms")  # noqa: T201
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
