"""Made-up learners in any number, by one statement a table."""

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from benchmarks.target import Target
from tasks.sample import RECORDS, enrol_everyone, make_courses, make_learners, make_organization

ONE_BY_ONE = "ONE"  # a small course beside the large ones
ENROL_SOME = """
INSERT INTO enrolment (organization_id, user_id, course_id, state, progress, assigned_at, completed_at)
SELECT u.organization_id, u.id, :course, 'completed', 100, now() - interval '90 days', now() - interval '30 days'
FROM "user" u WHERE u.organization_id = :organization AND u.email LIKE 'learner-%' ORDER BY u.id LIMIT :some
"""


def fill(engine: Engine, target: Target) -> None:
    """Make the target's organization, learners, courses and records: 15 records for each learner and course."""
    with Session(engine) as session, session.begin():
        session.execute(text("SET LOCAL session_replication_role TO replica"))  # no triggers: the rows are sound
        organization = make_organization(session, target.organization, target.organization)
        make_learners(session, organization, target.learners)
        codes = {code: f"Course {code}" for code in target.codes}
        courses = make_courses(session, organization, codes, certificates=False)
        session.execute(text("ANALYZE"))  # otherwise the inserts are planned for empty tables
        enrol_everyone(session, organization, courses, completed=100, begun=100)
        if target.one_by_one:
            (course,) = make_courses(session, organization, {ONE_BY_ONE: "One by one"}, certificates=False)
            some = {"course": course.id, "organization": organization.id, "some": target.one_by_one}
            session.execute(text(ENROL_SOME), some)
            for statement in RECORDS:
                session.execute(text(statement), {"courses": [course.id]})
