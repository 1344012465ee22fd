"""How to sign in to the web app, and something to try it with in an installation that has no data yet."""

from pathlib import Path

from sqlalchemy import select

from cli.sample import enrol_everyone, make_courses, make_learners, make_organization
from cli.servers_and_database import kept_secret
from models.access import Permission
from models.people import User
from models.refusals.sign_in import SignInFailed
from models.session import Session, transaction
from models.sign_in import claim_of, prove, set_password
from tasks.people.organizations import OrganizationLine, organizations, there_is_none

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
MOST = 5  # organizations of which it is told


def how_to_sign_in(home: Path, *, may_fill: bool) -> list[str]:
    """Lines that say who can sign in, organization by organization.

    With `may_fill` an installation without any data gets an organization to try things with.
    """
    with transaction() as session:
        if may_fill and there_is_none(session):
            _fill(session, home)
        found = organizations(session, limit=MOST + 1)
        several = len(found) > 1
        lines = []
        for one in found[:MOST]:
            lines += _demo_sign_ins(session, home, several=several) if one.slug == SLUG else []
            if one.slug != SLUG or not lines:
                lines.append(sign_in_line(one, several=several))
    if len(found) > MOST:
        lines.append("… and others: `recourse organization list`.")
    return lines


def sign_in_line(organization: OrganizationLine, *, several: bool) -> str:
    """How its admins sign in, or what to do so that one can. `several`: there are others, so it has to be named."""
    where = f"To sign in to the organization {organization.slug}"
    option = f" --organization {organization.slug}" if several else ""
    if able := [admin.email for admin in organization.admins if admin.can_sign_in]:
        return f"{where}: {able[0]}, with their password. A new one: recourse user password {able[0]}{option}"
    if organization.admins:
        address = organization.admins[0].email
        return f"{where}, first give its admin {address} a password: recourse user password {address}{option}"
    return f"The organization {organization.slug} has no admin who is active and may do everything."


def _demo_sign_ins(session: Session, home: Path, *, several: bool) -> list[str]:
    """Those whose password is still the one that was made up for them."""
    if not (home / "demo_password").exists():
        return []
    password = kept_secret(home, "demo_password")
    lines = []
    for email, role in WHO.items():
        try:
            prove(claim_of(session, SLUG, email), password)
        except SignInFailed:
            continue
        lines.append(f"  {email} / {password}  ({role})")
    organization = f" (organization: {SLUG})" if several else ""
    return [f"To try it, sign in to the web app as one of these{organization}:", *lines] if lines else []


def _fill(session: Session, home: Path) -> None:
    password = kept_secret(home, "demo_password")
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
