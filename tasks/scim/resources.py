"""Users and groups as SCIM describes them. What the classes declare is what `/Schemas` publishes.

An attribute is required if it always has a value here: a request may leave it out, but not remove it. Attributes that
are not declared are accepted and not kept: identity providers send more than we use.
"""

import hashlib
from collections.abc import Iterable
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import Field
from scim2_models import (
    URN,
    CaseExact,
    ComplexAttribute,
    Meta,
    Mutability,
    Reference,
    Required,
    Resource,
    Returned,
    ScimPolicy,
    Uniqueness,
)

from config.languages import languages
from config.settings import settings
from models.groups import Group as OurGroup
from models.people import User as OurUser

BASE = "/scim/v2"
WORK = "work"

POLICY = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,  # as Microsoft Entra removes values
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,  # as Microsoft Entra adds an address
)
"""What is accepted beside the letter of the standard."""


class Name(ComplexAttribute):
    formatted: Annotated[str | None, Required.true] = None
    """The user's name, as displayName."""


class Email(ComplexAttribute):
    value: Annotated[str | None, Required.true] = None
    """The address that e-mails go to."""

    type: str | None = Field(None, examples=[WORK])
    """Always work: a user has one address."""


class Membership(ComplexAttribute):
    value: Annotated[str | None, Mutability.read_only, CaseExact.true] = None
    """The group's id."""

    ref: Annotated[Reference["Group"] | None, Mutability.read_only] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    """The group's address."""

    display: Annotated[str | None, Mutability.read_only] = None
    """The group's name."""


class User(Resource[Any]):
    """A person."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    user_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    """The user's address, or another name that the identity provider has for them."""

    name: Annotated[Name | None, Required.true] = None
    """The user's name."""

    display_name: Annotated[str | None, Required.true] = None
    """The user's name."""

    emails: Annotated[list[Email] | None, Required.true] = None
    """The user's address."""

    active: Annotated[bool | None, Required.true] = None
    """Whether the user can sign in and gets alerts."""

    locale: Annotated[str | None, Required.true] = Field(None, examples=sorted(languages()))
    """The language of e-mails: a language tag, such as de-CH."""

    timezone: Annotated[str | None, Required.true] = Field(None, examples=sorted(available_timezones()))
    """The user's time zone: an IANA name, such as Europe/Zurich."""

    groups: Annotated[list[Membership] | None, Mutability.read_only, Returned.request] = None
    """The user's groups."""


class Member(ComplexAttribute):
    value: Annotated[str | None, Mutability.immutable, CaseExact.true] = None
    """The user's id."""

    ref: Annotated[Reference["User"] | None, Mutability.immutable] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    """The user's address."""

    type: Annotated[str | None, Mutability.immutable] = Field(None, examples=["User"])
    """Always User: groups have no groups."""


class Group(Resource[Any]):
    """A group of users."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:Group")

    display_name: Annotated[str | None, Required.true] = None
    """The group's name."""

    members: list[Member] | None = None
    """The group's users."""


class GivenName(Name):
    """A name as identity providers send it."""

    formatted: str | None = None
    given_name: str | None = None
    family_name: str | None = None


class GivenEmail(Email):
    """An address as identity providers send it."""

    value: str | None = None
    primary: bool | None = None


class GivenUser(User):
    """A user as identity providers send them: nothing but the user name is required."""

    name: GivenName | None = None
    display_name: str | None = None
    emails: list[GivenEmail] | None = None  # type: ignore[assignment]
    active: bool | None = None
    locale: str | None = None
    timezone: str | None = None


def user_resource(user: OurUser, groups: Iterable[OurGroup] = ()) -> User:
    """Returns a user as SCIM describes them."""
    return User(
        id=str(user.id),
        external_id=user.external_id,
        user_name=user.user_name or user.email,
        name=Name(formatted=user.name),
        display_name=user.name,
        emails=[Email(value=user.email, type=WORK)],
        active=user.active,
        locale=user.locale,
        timezone=user.time_zone,
        groups=[
            Membership(value=str(one.id), ref=Reference["Group"](address_of("Group", one.id)), display=one.name)
            for one in groups
        ],
        meta=Meta(
            resource_type="User",
            created=user.created_at,
            location=address_of("User", user.id),
            version=version_of_user(user),
        ),
    )


def group_resource(group: OurGroup, version: str) -> Group:
    """Returns a group as SCIM describes it, without its members."""
    meta = Meta(resource_type="Group", location=address_of("Group", group.id), version=version)
    return Group(id=str(group.id), external_id=group.external_id, display_name=group.name, meta=meta)


def member(user_id: int) -> dict[str, str]:
    """Returns a member of a group as JSON: groups are large, and objects are slow."""
    return {"value": str(user_id), "$ref": address_of("User", user_id), "type": "User"}


def address_of(kind: str, key: object) -> str:
    """Returns the address of a resource, such as that of the User 42."""
    return f"{settings().public_url.rstrip('/')}{BASE}/{kind}s/{key}"


def version_of_user(user: OurUser) -> str:
    """Returns the version of a user."""
    return version_of(user.user_name, user.email, user.name, user.external_id, user.active, user.locale, user.time_zone)


def version_of(*shown: object) -> str:
    """Returns a resource's version, which changes with what is shown of it: a weak entity tag (RFC 9110)."""
    return f'W/"{hashlib.sha256(repr(shown).encode()).hexdigest()[:24]}"'
