"""Organizations and their users."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Identity,
    Index,
    UniqueConstraint,
    false,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import Text

from models.base import Base, external_id_index
from models.external_ids import PREFIX, external_id_in
from models.refusals.organizations import OrganizationUnknown

GREATEST_WEIGHT = 10


class Organization(Base):
    """A customer. No organization can see or change another's data."""

    __tablename__ = "organization"
    __table_args__ = (CheckConstraint(f"weight BETWEEN 1 AND {GREATEST_WEIGHT}", name="weight"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    weight: Mapped[int] = mapped_column(server_default="1")  # its share of workers, mail, webhooks and imports


class User(Base):
    """A person: learner, admin, or both."""

    __tablename__ = "user"
    __table_args__ = (
        UniqueConstraint("id", "organization_id"),  # for composite foreign keys
        Index("uq_user_organization_id_email", "organization_id", text("lower(email)"), unique=True),
        external_id_index("user"),
        Index(
            "uq_user_organization_id_user_name",
            "organization_id",
            text("lower(user_name)"),
            unique=True,
            postgresql_where=text("user_name IS NOT NULL"),
        ),
        Index(None, "organization_id", "name", "id"),  # lists of users have this order,
        Index(None, "organization_id", "created_at", "id"),  # or this one
        Index("ix_user_not_active", "organization_id", "name", "id", postgresql_where=text("NOT active")),
        CheckConstraint("email LIKE '%_@_%'", name="email_has_an_at"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    external_id: Mapped[str | None]  # the platform's own id; stays if the address changes
    user_name: Mapped[str | None]  # what an identity provider calls the user, if that is not the address
    email: Mapped[str]
    name: Mapped[str]
    # Names and addresses that they had before, for their erasure. A trigger writes them, whoever makes the change.
    former: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    notifications_on: Mapped[bool] = mapped_column(server_default=text("true"))
    mail_on: Mapped[bool] = mapped_column(server_default=text("true"))  # send alerts by e-mail too
    locale: Mapped[str] = mapped_column(server_default="en")  # a BCP 47 tag, such as de-CH
    time_zone: Mapped[str] = mapped_column(server_default="UTC")  # an IANA name, such as Europe/Zurich
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    # A removed user has no access, courses or groups. A trigger clears it when the user becomes active again.
    removed_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]  # the row stays for foreign keys, without personal data

    @classmethod
    def has_address(cls, email: str) -> ColumnElement[bool]:
        """Returns the condition that a user has this e-mail address, whatever its case; an index serves it."""
        return func.lower(cls.email) == email.lower()

    @staticmethod
    def name_as_compared(name: str) -> str:
        """Returns an address in lower case; `external:` and an external id as it is."""
        return name.lower() if external_id_in(name) is None else name

    @property
    def names_as_compared(self) -> list[str]:
        """The address, and `external:` with the external id if there is one, as `is_one_of` takes them."""
        external = [] if self.external_id is None else [f"{PREFIX}{self.external_id}"]
        return [self.email.lower(), *external]

    @classmethod
    def is_one_of(cls, names: Sequence[str], ids: Sequence[int] = ()) -> ColumnElement[bool]:
        """Returns the condition that a user has one of these ids or names, each as from `name_as_compared`."""
        external_ids = [external_id for name in names if (external_id := external_id_in(name)) is not None]
        addresses = [name for name in names if external_id_in(name) is None]
        wanted = ((cls.id, ids), (func.lower(cls.email), addresses), (cls.external_id, external_ids))
        # No condition for an empty list: it would keep PostgreSQL from using the indexes of the others.
        return or_(false(), *(key.in_(values) for key, values in wanted if values))

    @classmethod
    def is_called(cls, user_name: str) -> ColumnElement[bool]:
        """Returns the condition that an identity provider calls a user this, whatever its case: their user name, or
        the address of a user who has none; indexes serve it."""
        by_address = cls.user_name.is_(None) & cls.has_address(user_name)
        return or_(func.lower(cls.user_name) == user_name.lower(), by_address)

    @classmethod
    def is_kept(cls) -> ColumnElement[bool]:
        """Returns the condition that a user is neither removed nor erased."""
        return cls.removed_at.is_(None) & cls.erased_at.is_(None)


def only_organization(session: Session) -> Organization | None:
    """Returns the installation's organization, `None` if there are several or none."""
    found = session.scalars(select(Organization).limit(2)).all()
    return found[0] if len(found) == 1 else None


def organization_by_slug(session: Session, slug: str) -> Organization:
    """Returns the organization with this short name. Raises `OrganizationUnknown`."""
    organization = session.scalar(select(Organization).where(Organization.slug == slug))
    if organization is None:
        raise OrganizationUnknown(slug)
    return organization


def every_organization(session: Session) -> list[Organization]:
    """Returns all organizations by short name."""
    return list(session.scalars(select(Organization).order_by(Organization.slug)))


def organizations_with_user(session: Session, email: str) -> list[Organization]:
    """Returns the organizations that have a user with this address, by short name."""
    query = (
        select(Organization)
        .join(User, User.organization_id == Organization.id)
        .where(User.has_address(email))
        .order_by(Organization.slug)
    )
    return list(session.scalars(query))


def weights(session: Session) -> dict[int, int]:
    """Returns the weights of the organizations that have another one than 1, by id."""
    return dict(session.execute(select(Organization.id, Organization.weight).where(Organization.weight != 1)).all())


def weight_of(session: Session, organization_id: int) -> int:
    """Returns the weight of the organization."""
    return session.scalars(select(Organization.weight).where(Organization.id == organization_id)).one()


def zone_of(user: User) -> ZoneInfo:
    """Returns the user's time zone; UTC if this machine does not know it."""
    try:
        return ZoneInfo(user.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
