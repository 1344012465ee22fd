"""Made-up courses, for the demonstration, the tests and the benchmarks."""

from sqlalchemy import select, text

from models.access import MANAGEMENT, Permission
from models.files.files import attach
from models.files.uploads import receive
from models.people import Organization, User
from models.records import AssignmentSubmission
from models.session import Session
from models.sign_in import set_password
from models.training import Activity, ActivityKind, Course

FIRST_NAMES = "Ada Ben Chidi Dana Elif Femi Grace Hugo Ines Jun Kim Lena Mateo Nadia Omar Priya"
LAST_NAMES = (
    "Abebe Brandt Castro Dubois Eriksen Fischer Garcia Hassan Ito Jansen Kowalski Larsen Moreau Novak Okafor Park Rossi"
)

DEMO = "demo"
DEMO_LEARNERS = 120
DEMO_COURSES = {
    "SAFETY-101": "Working safely at height",
    "FIRE-201": "Fire warden",
    "FORKLIFT-110": "Forklift truck operation",
}
DEMO_SIGN_INS = {
    f"admin@{DEMO}.example": "admin: everything",
    f"manager@{DEMO}.example": "manager: courses, but not users",
    f"learner-1@{DEMO}.example": "learner",
}

# Ordered by user, so that the rows of one course are scattered over the table as they are in production.
ENROL = """
INSERT INTO enrolment (organization_id, user_id, course_id, state, progress, assigned_at, completed_at, due_at)
SELECT u.organization_id, u.id, c.id, s.state,
       CASE s.state WHEN 'completed' THEN 100 WHEN 'in_progress' THEN 40 ELSE 0 END,
       now() - interval '90 days', CASE s.state WHEN 'completed' THEN now() - interval '30 days' END,
       now() - interval '10 days'
FROM "user" u CROSS JOIN course c
CROSS JOIN LATERAL (SELECT CASE WHEN u.id % 100 < :completed THEN 'completed'
                                WHEN u.id % 100 < :begun THEN 'in_progress' ELSE 'assigned' END AS state) s
WHERE c.id = ANY(:courses) AND u.organization_id = :organization AND u.email LIKE 'learner-%'
ORDER BY u.id, c.id
"""

RECORDS = (
    """INSERT INTO lesson_progress (registration, activity_id, percent)
       SELECT e.registration, a.id, 100 FROM enrolment e JOIN activity a USING (course_id)
       WHERE e.course_id = ANY(:courses) AND e.state <> 'assigned' AND a.kind = 'lesson' ORDER BY e.id, a.id""",
    """INSERT INTO practical_assessment (registration, activity_id, score)
       SELECT e.registration, a.id, 50 + e.id % 50 FROM enrolment e JOIN activity a USING (course_id)
       WHERE e.course_id = ANY(:courses) AND e.state <> 'assigned' AND a.kind = 'practical_assessment' ORDER BY e.id""",
    """INSERT INTO discussion_post (registration, activity_id, body)
       SELECT e.registration, a.id, 'What I took from this course.' FROM enrolment e JOIN activity a USING (course_id)
       WHERE e.course_id = ANY(:courses) AND e.state <> 'assigned' AND a.kind = 'discussion' ORDER BY e.id""",
    """INSERT INTO assignment_submission (registration, activity_id, body, score)
       SELECT e.registration, a.id, 'My answer.', 60 + e.id % 40 FROM enrolment e JOIN activity a USING (course_id)
       WHERE e.course_id = ANY(:courses) AND e.state <> 'assigned' AND a.kind = 'assignment' ORDER BY e.id""",
    """INSERT INTO completion (registration, completed_at)
       SELECT registration, completed_at FROM enrolment
       WHERE course_id = ANY(:courses) AND state = 'completed' ORDER BY id""",
    """INSERT INTO certificate (registration, serial)
       SELECT e.registration, upper(replace(gen_random_uuid()::text, '-', '')) FROM enrolment e
       JOIN course c ON c.id = e.course_id
       WHERE e.course_id = ANY(:courses) AND e.state = 'completed' AND c.certificates_on ORDER BY e.id""",
)


def make_organization(session: Session, slug: str, name: str) -> Organization:
    """Make an organization with an admin who has every permission of administrators, `admin@<slug>.example`."""
    organization = Organization(slug=slug, name=name)
    session.add(organization)
    session.flush()
    session.add(
        User(
            organization_id=organization.id,
            email=f"admin@{slug}.example",
            name="Alex Admin",
            permissions=[permission.value for permission in MANAGEMENT],
        )
    )
    session.flush()
    return organization


def make_learners(session: Session, organization: Organization, count: int) -> None:
    """Make `count` learners. Every tenth has notifications off."""
    session.execute(
        text(
            """INSERT INTO "user" (organization_id, email, name, notifications_on)
               SELECT :organization, 'learner-' || n || '@' || :slug || '.example',
                      (CAST(:first AS text[]))[1 + n % 16] || ' ' || (CAST(:last AS text[]))[1 + n % 17], n % 10 <> 0
               FROM generate_series(1, :count) n"""
        ),
        {
            "organization": organization.id,
            "slug": organization.slug,
            "count": count,
            "first": FIRST_NAMES.split(),
            "last": LAST_NAMES.split(),
        },
    )


def make_courses(
    session: Session,
    organization: Organization,
    codes: dict[str, str],
    *,
    lessons: int = 10,
    assessments: int = 2,
    certificates: bool = True,
) -> list[Course]:
    """Make courses from codes and titles, each with lessons, practical assessments, a discussion and an assignment."""
    counts = {ActivityKind.LESSON: lessons, ActivityKind.PRACTICAL_ASSESSMENT: assessments}
    counts |= {ActivityKind.DISCUSSION: 1, ActivityKind.ASSIGNMENT: 1}
    steps = [
        (kind, f"{kind.value.replace('_', ' ').capitalize()} {n}")
        for kind in counts
        for n in range(1, counts[kind] + 1)
    ]
    courses = [
        Course(organization_id=organization.id, code=code, title=title, certificates_on=certificates)
        for code, title in codes.items()
    ]
    session.add_all(courses)
    session.flush()
    for course in courses:
        session.add_all(
            Activity(course_id=course.id, kind=kind, reference=f"{place}", title=title)
            for place, (kind, title) in enumerate(steps, 1)
        )
    session.flush()
    return courses


def enrol_everyone(
    session: Session, organization: Organization, courses: list[Course], *, completed: int = 70, begun: int = 90
) -> None:
    """Assign the courses to all learners: `completed` percent have completed them, up to `begun` percent have begun."""
    values = {
        "courses": [course.id for course in courses],
        "organization": organization.id,
        "completed": completed,
        "begun": begun,
    }
    session.execute(text(ENROL), values)
    for statement in RECORDS:
        session.execute(text(statement), values)


def hand_in_files(session: Session, courses: list[Course], most: int = 1000) -> None:
    """Attach a text file, stored for real, to each of the courses' first `most` assignment submissions."""
    submissions = session.scalars(
        select(AssignmentSubmission)
        .join(Activity, Activity.id == AssignmentSubmission.activity_id)
        .where(Activity.course_id.in_([course.id for course in courses]))
        .order_by(AssignmentSubmission.id)
        .limit(most)
    )
    for submission in submissions.all():
        upload = receive(courses[0].organization_id, "answer.txt", [b"My answer, at length.\n"])
        attach(session, submission, upload)


def make_demo_organization(session: Session, password: str) -> None:
    """Make an organization to try things with. The users of `DEMO_SIGN_INS` sign in with this password."""
    organization = make_organization(session, DEMO, "Demo")
    session.add(
        User(
            organization_id=organization.id,
            email=f"manager@{DEMO}.example",
            name="Mara Manager",
            permissions=[Permission.COURSES.value],
        )
    )
    make_learners(session, organization, DEMO_LEARNERS)
    enrol_everyone(session, organization, make_courses(session, organization, DEMO_COURSES, lessons=4))
    for user in session.scalars(select(User).where(User.email.in_(DEMO_SIGN_INS))):
        set_password(session, user, password)
