"""Add an organization with its first admin, rename, weigh and list organizations."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from config.settings import settings
from models import audit
from models.access import MANAGEMENT
from models.pauses import Paused, all_pauses, pause_of_organization
from models.people import GREATEST_WEIGHT, Organization, User
from models.refusals.organizations import OrganizationExists, OrganizationInvalid, OrganizationUnknown, TimeZoneUnknown
from models.reset_queue import counts_of
from models.sign_in import Credential, set_password
from models.sign_on import IdentityProvider
from tasks.imports.values import WrongError
from tasks.imports.values import email as checked_email
from tasks.imports.values import time_zone as checked_time_zone

SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
LONGEST_NAME = 200


@dataclass(frozen=True)
class Admin:
    """A user with every permission of administrators."""

    email: str
    can_sign_in: bool  # has a password


@dataclass(frozen=True)
class OrganizationLine:
    """An organization in a list."""

    slug: str
    name: str
    users: int
    admins: list[Admin]
    signs_in_with: str | None = None  # the only way: the name of its provider
    weight: int = 1  # its share of workers, mail, webhooks and imports
    paused: str | None = None  # why all its resets are paused


@dataclass(frozen=True)
class Standing:
    """An organization's share, and what its resets are doing."""

    slug: str
    name: str
    weight: int
    paused: Paused | None
    running: int  # resets that take a place, and are not paused
    most_running: int
    queued: int


@dataclass(frozen=True)
class FirstAdmin:
    """The first admin of a new organization, who cannot sign in without a password."""

    email: str
    name: str
    password: str | None = None
    time_zone: str = "UTC"


def add_organization(session: Session, actor: str, slug: str, name: str, admin: FirstAdmin) -> User:
    """Add an organization. Returns its admin, who has every permission of administrators.

    `actor` is the name for the audit. Raises `OrganizationInvalid`, `OrganizationExists`, `TimeZoneUnknown`,
    `PasswordTooShort`.
    """
    slug, name = slug.strip(), name.strip()
    if not SLUG.fullmatch(slug):
        raise OrganizationInvalid(
            "{slug!r} is not a valid short name. Use lower-case letters, digits and hyphens.", slug=slug
        )
    _check_name(name)
    _check_name(admin.name.strip())
    try:
        address = checked_email(admin.email.strip())
    except WrongError:
        raise OrganizationInvalid("{email!r} is not an e-mail address. Check it.", email=admin.email) from None
    try:
        checked_time_zone(admin.time_zone)
    except WrongError:
        raise TimeZoneUnknown(admin.time_zone) from None
    one_at_a_time(session)
    if session.scalar(select(Organization.id).where(Organization.slug == slug)) is not None:
        raise OrganizationExists(slug)
    organization = Organization(slug=slug, name=name)
    session.add(organization)
    session.flush()
    user = User(
        organization_id=organization.id,
        email=address,
        name=admin.name.strip(),
        permissions=[permission.value for permission in MANAGEMENT],
        time_zone=admin.time_zone,
    )
    session.add(user)
    session.flush()
    audit.record(session, actor, "organization.added", organization.id, organization.id, slug=slug, admin=user.id)
    if admin.password is not None:
        set_password(session, user, admin.password)
    return user


def rename_organization(session: Session, actor: str, slug: str, name: str) -> None:
    """Rename an organization; its slug stays. Raises `OrganizationUnknown`, `OrganizationInvalid`."""
    _check_name(name := name.strip())
    organization = session.scalar(select(Organization).where(Organization.slug == slug).with_for_update())
    if organization is None:
        raise OrganizationUnknown(slug)
    before, organization.name = organization.name, name
    audit.record(session, actor, "organization.renamed", organization.id, organization.id, before=before, after=name)


def weigh_organization(session: Session, actor: str, slug: str, weight: int) -> None:
    """Change an organization's share of workers, mail, webhooks and imports; others have 1, unless they were changed.

    Raises `OrganizationUnknown`, `OrganizationInvalid`.
    """
    if not 1 <= weight <= GREATEST_WEIGHT:
        raise OrganizationInvalid(
            "The weight is out of range. Choose 1 to {greatest_weight}.", greatest_weight=GREATEST_WEIGHT
        )
    organization = session.scalar(select(Organization).where(Organization.slug == slug).with_for_update(key_share=True))
    if organization is None:
        raise OrganizationUnknown(slug)
    before, organization.weight = organization.weight, weight
    audit.record(session, actor, "organization.weighed", organization.id, organization.id, before=before, after=weight)


def standing(session: Session, organization_id: int) -> Standing:
    """Returns the organization's share, and what its resets are doing."""
    organization = session.get_one(Organization, organization_id)
    running, queued = counts_of(session, organization_id)
    return Standing(
        organization.slug,
        organization.name,
        organization.weight,
        pause_of_organization(session, organization_id),
        running,
        settings().running_resets_per_organization,
        queued,
    )


def organizations(session: Session, slugs: Sequence[str] = (), limit: int | None = None) -> list[OrganizationLine]:
    """Returns all organizations, or those with these slugs, by slug, each with its active admins."""
    counted = select(func.count()).where(User.organization_id == Organization.id).scalar_subquery()
    provider = IdentityProvider.organization_id == Organization.id
    query = (
        select(Organization, counted, IdentityProvider.name)
        .outerjoin(IdentityProvider, provider & IdentityProvider.passwords_off)
        .order_by(Organization.slug)
        .limit(limit)
    )
    if slugs:
        query = query.where(Organization.slug.in_(slugs))
    found = session.execute(query).all()
    admins: dict[int, list[Admin]] = {organization.id: [] for organization, *_ in found}
    everything = [permission.value for permission in MANAGEMENT]
    for user, credential in session.execute(
        select(User, Credential.user_id)
        .outerjoin(Credential, Credential.user_id == User.id)
        .where(User.organization_id.in_(admins), User.active, User.permissions.contains(everything))
        .order_by(User.id)
    ):
        admins[user.organization_id].append(Admin(user.email, can_sign_in=credential is not None))
    paused = {pause.organization_id: pause.reason for pause, _ in all_pauses(session) if pause.reset_id is None}
    return [
        OrganizationLine(
            one.slug, one.name, users, admins[one.id], there, one.weight, paused.get(None, paused.get(one.id))
        )
        for one, users, there in found
    ]


def there_is_none(session: Session) -> bool:
    """Whether the installation has no organization."""
    return session.scalar(select(Organization.id).limit(1)) is None


def one_at_a_time(session: Session) -> None:
    """Have others who add an organization wait until this transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("recourse.organizations", 0))))


def _check_name(name: str) -> None:
    if not name or len(name) > LONGEST_NAME:
        raise OrganizationInvalid(
            "A name is missing or too long. Use 1 to {longest_name} characters.", longest_name=LONGEST_NAME
        )
