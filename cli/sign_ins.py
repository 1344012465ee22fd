"""Say who can sign in to the web app."""

from pathlib import Path

from cli.local.secrets import kept_secret
from models.refusals.sign_in import SignInFailed
from models.session import Session, transaction
from models.sign_in import claim_of, prove
from tasks.people.organizations import OrganizationLine, organizations, there_is_none
from tasks.sample import DEMO, DEMO_SIGN_INS, make_demo_organization

MOST = 5  # organizations to name


def sign_in_lines(home: Path, *, may_fill: bool) -> list[str]:
    """Returns lines that say who can sign in, by organization.

    With `may_fill`, an installation without any organization first gets one to try things with.
    """
    with transaction() as session:
        if may_fill and there_is_none(session):
            make_demo_organization(session, kept_secret(home, "demo_password"))
        found = organizations(session, limit=MOST + 1)
        several = len(found) > 1
        lines = []
        for one in found[:MOST]:
            demo = _demo_sign_ins(session, home, several=several) if one.slug == DEMO and not one.signs_in_with else []
            lines += demo or [sign_in_line(one, several=several)]
    if len(found) > MOST:
        lines.append("`recourse organization list` lists the others.")
    return lines


def sign_in_line(organization: OrganizationLine, *, several: bool) -> str:
    """Returns how an admin of the organization signs in. With `several`, commands have to name the organization."""
    where = f"To sign in to the organization {organization.slug}"
    if organization.signs_in_with:
        return f"{where}: with {organization.signs_in_with}; passwords are turned off"
    option = f" --organization {organization.slug}" if several else ""
    if able := [admin.email for admin in organization.admins if admin.can_sign_in]:
        return f"{where}: {able[0]}, with their password. To set a new one: recourse user password {able[0]}{option}"
    if organization.admins:
        address = organization.admins[0].email
        return f"{where}, first give its admin {address} a password: recourse user password {address}{option}"
    return f"The organization {organization.slug} has no active admin with every permission."


def _demo_sign_ins(session: Session, home: Path, *, several: bool) -> list[str]:
    """Returns the demo users whose generated password still works."""
    if not (home / "demo_password").exists():
        return []
    password = kept_secret(home, "demo_password")
    lines = []
    for email, role in DEMO_SIGN_INS.items():
        try:
            prove(claim_of(session, DEMO, email), password)
        except SignInFailed:
            continue
        lines.append(f"  {email} / {password}  ({role})")
    organization = f" (organization: {DEMO})" if several else ""
    return [f"To try it, sign in to the web app as one of these{organization}:", *lines] if lines else []
