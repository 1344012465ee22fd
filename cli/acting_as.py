"""Whose courses a command is about, and as whom it acts."""

from typing import Annotated
from uuid import UUID

import typer
from sqlalchemy import select

from models.access import Actor, acting_user, console_operator
from models.people import Organization
from models.refusals.organizations import OrganizationUnknown
from models.refusals.resets import ResetUnknown
from models.refusals.training import CourseUnknown
from models.resets import Reset
from models.session import Session
from models.training import Course
from tasks.people.organizations import organizations_with_user

As = Annotated[
    str | None,
    typer.Option(
        "--as",
        envvar="RECOURSE_AS",
        metavar="EMAIL",
        help="Act as this user, with their permissions. Without it, as the operator of this console.",
    ),
]
OrganizationOption = Annotated[
    str | None,
    typer.Option(
        "--organization", metavar="SLUG", help="Needed only where several organizations have a course of this code."
    ),
]


def organization_of_course(session: Session, code: str, slug: str | None) -> Organization:
    """The organization that has the course, or the one of the slug. Raises `CourseUnknown`, `OrganizationUnknown`."""
    query = select(Organization).join(Course, Course.organization_id == Organization.id).where(Course.code == code)
    if slug is not None:
        _organization(session, slug)
        query = query.where(Organization.slug == slug)
    found = session.scalars(query.order_by(Organization.slug)).all()
    if not found:
        raise CourseUnknown(code)
    if len(found) > 1:
        slugs = ", ".join(organization.slug for organization in found)
        raise OrganizationUnknown(
            f"Several organizations have a course {code}: {slugs}. Say which: --organization SLUG."
        )
    return found[0]


def organizations(session: Session, slug: str | None) -> list[Organization]:
    """The one with this slug, or all. Raises `OrganizationUnknown`."""
    if slug is not None:
        return [_organization(session, slug)]
    return list(session.scalars(select(Organization).order_by(Organization.slug)))


def one_organization(session: Session, slug: str | None) -> Organization:
    """The one with this slug, or the only one there is. Raises `OrganizationUnknown`."""
    found = organizations(session, slug)
    if len(found) != 1:
        slugs = ", ".join(owner.slug for owner in found) or "none"
        raise OrganizationUnknown(f"Say which organization: --organization SLUG. There are: {slugs}.")
    return found[0]


def organization_of_user(session: Session, email: str, slug: str | None) -> Organization:
    """The organization that has a user with this address, or the one of the slug. Raises `OrganizationUnknown`."""
    if slug is None and len(found := organizations_with_user(session, email)) == 1:
        return found[0]
    return one_organization(session, slug)


def actor(session: Session, organization: Organization, email: str | None) -> Actor:
    """As whom the command acts. Raises `UserUnknown`."""
    return console_operator(organization) if email is None else acting_user(session, organization, email)


def reset_and_actor(session: Session, reset_id: str, email: str | None) -> tuple[Reset, Actor]:
    """The reset with this id, and as whom the command acts on it. Raises `ResetUnknown`, `UserUnknown`."""
    try:
        reset = session.get(Reset, UUID(reset_id))
    except ValueError:
        reset = None
    if reset is None:
        raise ResetUnknown(reset_id)
    organization = session.get_one(Organization, reset.organization_id)
    return reset, actor(session, organization, email)


def _organization(session: Session, slug: str) -> Organization:
    organization = session.scalar(select(Organization).where(Organization.slug == slug))
    if organization is None:
        raise OrganizationUnknown(f"There is no organization {slug!r}. `recourse organization list` lists them.")
    return organization
