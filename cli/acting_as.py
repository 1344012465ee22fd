"""Find the organization that a command means, and whom the command acts as."""

import typer

from models.access import Actor, acting_user, console_operator
from models.directory import organizations_with_course
from models.people import Organization, every_organization, organization_by_slug, organizations_with_user
from models.refusals.training import CourseUnknown
from models.resets import Reset, reset_named
from models.retraining import Rule, rule_named
from models.session import Session


def organization_of_course(session: Session, code: str, slug: str | None) -> Organization:
    """Returns the organization that has the course, among several the one with this short name.

    Raises `CourseUnknown`, `OrganizationUnknown`.
    """
    found = organizations_with_course(session, code)
    if slug is not None:
        named = organization_by_slug(session, slug)
        found = [one for one in found if one.id == named.id]
    if not found:
        raise CourseUnknown(code)
    if len(found) > 1:
        raise _unclear(f"Several organizations have a course {code}: {_slugs(found)}. Choose one.")
    return found[0]


def organizations(session: Session, slug: str | None) -> list[Organization]:
    """Returns the organization with this short name, or all of them. Raises `OrganizationUnknown`."""
    return every_organization(session) if slug is None else [organization_by_slug(session, slug)]


def one_organization(session: Session, slug: str | None) -> Organization:
    """Returns the organization with this short name, or the only one. Raises `OrganizationUnknown`."""
    found = organizations(session, slug)
    if not found:
        raise _unclear("There are no organizations yet. Add one with `recourse organization add`.")
    if len(found) > 1:
        raise _unclear(f"There are several organizations: {_slugs(found)}. Choose one.")
    return found[0]


def organization_of_user(session: Session, email: str, slug: str | None) -> Organization:
    """Returns the organization with this short name, or the one that has the user. Raises `OrganizationUnknown`."""
    if slug is None and len(found := organizations_with_user(session, email)) == 1:
        return found[0]
    return one_organization(session, slug)


def actor(session: Session, organization: Organization, email: str | None) -> Actor:
    """Returns the user with this address as the actor, or the operator. Raises `UserUnknown`."""
    return console_operator(organization) if email is None else acting_user(session, organization, email)


def reset_and_actor(session: Session, reset_id: str, email: str | None) -> tuple[Reset, Actor]:
    """Returns the reset with this id or a part of it, and whom the command acts as in its organization.

    Raises `ResetUnknown`, `ResetAmbiguous`, `UserUnknown`.
    """
    reset = reset_named(session, reset_id)
    return reset, actor(session, session.get_one(Organization, reset.organization_id), email)


def rule_and_actor(session: Session, rule_id: str, email: str | None) -> tuple[Rule, Actor]:
    """Returns the rule with this id or a part of it, and whom the command acts as in its organization.

    Raises `RuleUnknown`, `RuleAmbiguous`, `UserUnknown`.
    """
    rule = rule_named(session, rule_id)
    return rule, actor(session, session.get_one(Organization, rule.organization_id), email)


def _unclear(message: str) -> typer.BadParameter:
    return typer.BadParameter(message, param_hint="--organization")


def _slugs(found: list[Organization]) -> str:
    return ", ".join(organization.slug for organization in found)
