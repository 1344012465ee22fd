"""Something to try the web app with, in an installation that has no data yet."""

from pathlib import Path

from sqlalchemy import select

from cli.sample import enrol_everyone, make_courses, make_learners, make_organization
from cli.surroundings import kept_secret
from models.access import Permission
from models.people import Organization, User
from models.session import transaction
from models.sign_in import set_password

SLUG = "demo"
LEARNERS = 120
COURSES = {
    "SAFETY-101": "Working safely at height",
    "FIRE-201": "Fire warden",
    "FORKLIFT-110": "Forklift truck operation",
}
WHO = {
    f"admin@{SLUG}.example": "admin: everything",
    f"manager@{SLUG}.example": "manager: courses, but no users",
    f"learner-1@{SLUG}.example": "learner",
}


def demo_sign_ins(home: Path) -> list[str]:
    """Who can sign in with which password: `address / password  role`, of an organization that is made where there is
    none. Nobody where the installation has data of its own."""
    with transaction() as session:
        slugs = session.scalars(select(Organization.slug).limit(2)).all()
        if not slugs:
            _fill(home)
        elif slugs != [SLUG] or not (home / "demo_password").exists():
            return []
    password = kept_secret(home, "demo_password")
    return [f"{email} / {password}  ({role})" for email, role in WHO.items()]


def _fill(home: Path) -> None:
    password = kept_secret(home, "demo_password")
    with transaction() as session:
        organization = make_organization(session, SLUG, "Demo")
        manager = User(
            organization_id=organization.id,
            email=f"manager@{SLUG}.example",
            name="Mara Manager",
            permissions=[Permission.COURSES.value],
        )
        session.add(manager)
        make_learners(session, organization, LEARNERS)
        enrol_everyone(session, organization, make_courses(session, organization, COURSES, lessons=4))
        for user in session.scalars(select(User).where(User.email.in_(WHO))):
            set_password(session, user, password)
