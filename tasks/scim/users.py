"""Users over SCIM. The id is ours; the user name is the address, unless the identity provider has another one.

A removed user does not exist here, and comes back under the same id when it is created again (RFC 7644, section 3.6).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from scim2_models import Context, InvalidValueException, MutabilityException, PatchOp, ResponseParameters, SearchRequest
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from models.access import Actor, Permission
from models.groups import Group, GroupMember
from models.people import User as OurUser
from models.refusals.people import UserUnknown
from tasks.people.users import add_user, change_user, lock_user, remove_user
from tasks.scim.filters import USERS, id_of
from tasks.scim.listing import Listing, as_scim, check_version, dumped, part_of, wants
from tasks.scim.resources import (
    POLICY,
    WORK,
    GivenEmail,
    GivenName,
    GivenUser,
    User,
    user_resource,
    version_of_user,
)

_EVERYTHING: ResponseParameters[Any] = ResponseParameters[User]()
ALWAYS = {
    "userName": "user_name",
    "displayName": "display_name",
    "emails": "emails",
    "active": "active",
    "locale": "locale",
    "timezone": "timezone",
}
"""Attributes that a change cannot leave empty, and their fields."""


def list_users(session: Session, actor: Actor, request: SearchRequest[Any]) -> Listing:
    """Returns users in order of id. Raises `Forbidden`, `SCIMException`."""
    total, start, users = part_of(session, OurUser, _ours(actor), USERS, request)
    return Listing(total, start, _as_json(session, users, request))


def show_user(session: Session, actor: Actor, key: str, request: ResponseParameters[Any]) -> dict[str, Any]:
    """Returns a user as JSON. Raises `Forbidden`, `UserUnknown`."""
    return _as_json(session, [_found(session, actor, key)], request)[0]


def create_user(session: Session, actor: Actor, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Add a user. Returns them as JSON. Raises as `add_user`, and `SCIMException`."""
    given = _given(payload, Context.RESOURCE_CREATION_REQUEST)
    values = _fields(given, _name(given) or given.user_name)
    user = add_user(session, actor, values.pop("email"), values.pop("name"), **values)
    return _as_json(session, [user], _EVERYTHING)[0]


def replace_user(
    session: Session, actor: Actor, key: str, payload: Mapping[str, Any], if_match: str | None
) -> dict[str, Any]:
    """Change a user to what is given; what is left out stays. Returns them as JSON.

    Raises as `change_user`, and `SCIMException`.
    """
    given = _given(payload, Context.RESOURCE_REPLACEMENT_REQUEST)
    user = _to_change(session, actor, key, if_match)
    changed = change_user(session, actor, user, _fields(given, _name(given), user))
    return _as_json(session, [changed], _EVERYTHING)[0]


def patch_user(
    session: Session, actor: Actor, key: str, payload: Mapping[str, Any], if_match: str | None
) -> dict[str, Any]:
    """Change a user by operations. Returns them as JSON. Raises as `change_user`, and `SCIMException`."""
    user = _to_change(session, actor, key, if_match)
    patched = _as_given(user)
    try:
        operations = PatchOp[GivenUser].model_validate(
            dict(payload), scim_ctx=Context.RESOURCE_PATCH_REQUEST, scim_policy=POLICY
        )
        operations.patch(patched, scim_policy=POLICY)
    except ValidationError as error:
        raise as_scim(error) from None
    for name, field in ALWAYS.items():
        if getattr(patched, field) in (None, []):
            raise MutabilityException(detail=f"{name} always has a value. Replace it instead. Nothing was changed.")
    if _best(patched) == user.email:
        patched.emails = None  # the operations are not about it
    changed = change_user(session, actor, user, _fields(patched, _name(patched, user.name), user))
    return _as_json(session, [changed], _EVERYTHING)[0]


def delete_user(session: Session, actor: Actor, key: str, if_match: str | None) -> None:
    """Remove a user. Raises as `remove_user`, and `SCIMException`."""
    remove_user(session, actor, _to_change(session, actor, key, if_match))


def _ours(actor: Actor) -> ColumnElement[bool]:
    actor.must_have(Permission.USERS)
    return (OurUser.organization_id == actor.organization_id) & OurUser.is_kept()


def _found(session: Session, actor: Actor, key: str) -> OurUser:
    user = session.scalar(select(OurUser).where(_ours(actor), OurUser.id == id_of(key)))
    if user is None:
        raise UserUnknown(key)
    return user


def _to_change(session: Session, actor: Actor, key: str, if_match: str | None) -> OurUser:
    """Returns the user, whom no one else can change until the commit."""
    user = _found(session, actor, key)
    lock_user(session, actor, user)
    if user.removed_at is not None:
        raise UserUnknown(key)
    check_version(if_match, version_of_user(user))
    return user


def _given(payload: Mapping[str, Any], context: Context) -> GivenUser:
    try:
        return GivenUser.model_validate(dict(payload), scim_ctx=context, scim_policy=POLICY)
    except ValidationError as error:
        raise as_scim(error) from None


def _as_given(user: OurUser) -> GivenUser:
    return GivenUser(
        id=str(user.id),
        external_id=user.external_id,
        user_name=user.user_name or user.email,
        name=GivenName(formatted=user.name),
        display_name=user.name,
        emails=[GivenEmail(value=user.email, type=WORK, primary=True)],
        active=user.active,
        locale=user.locale,
        timezone=user.time_zone,
    )


def _fields(given: GivenUser, name: str | None, before: OurUser | None = None) -> dict[str, Any]:
    """Returns what is given as the fields of a user."""
    address, user_name = _address(given, before)
    values = {
        "email": address,
        "name": name,
        "active": given.active,
        "locale": given.locale and given.locale.replace("_", "-"),  # en_US, as some write it
        "time_zone": given.timezone,
    }
    fields: dict[str, Any] = {field: value for field, value in values.items() if value not in (None, "")}
    fields["user_name"] = user_name
    if "external_id" in given.model_fields_set:
        fields["external_id"] = given.external_id
    return fields


def _best(given: GivenUser) -> str:
    """Returns the address in `emails`: the primary one, or else the one for work, or else the first."""
    emails = [one for one in given.emails or () if one.value and one.value.strip()]
    best = min(emails, key=lambda one: (not one.primary, one.type != WORK), default=None)
    return (best.value or "").strip() if best else ""


def _address(given: GivenUser, before: OurUser | None) -> tuple[str, str | None]:
    """Returns the user's address, and the user name if it is another one."""
    login, address = (given.user_name or "").strip(), _best(given)
    if not address and before is not None:
        # An address that is the user name too follows it.
        follows = before.user_name is None and "@" in login
        address = login if follows else before.email
    elif not address:
        address = login
    if "@" not in address:
        raise InvalidValueException(detail="The user name is not an e-mail address. Send the address in emails too.")
    return address, None if login.lower() == address.lower() else login


def _name(given: GivenUser, was: str | None = None) -> str | None:
    """Returns the name: the first that is given and, for a change of a user who is called `was`, new."""
    parts = given.name
    both = f"{parts.given_name} {parts.family_name}" if parts and parts.given_name and parts.family_name else None
    names = (given.display_name, parts.formatted if parts else None, both)
    return next((name for name in names if name and name.strip() and name != was), None)


def _as_json(session: Session, users: Sequence[OurUser], request: ResponseParameters[Any]) -> list[dict[str, Any]]:
    groups: dict[int, list[Group]] = {}
    if wants(request, "groups", usually=False):
        theirs = (
            select(GroupMember.user_id, Group)
            .join(Group, Group.id == GroupMember.group_id)
            .where(GroupMember.user_id.in_([user.id for user in users]))
            .order_by(Group.id)
        )
        for user_id, group in session.execute(theirs):
            groups.setdefault(user_id, []).append(group)
    return [dumped(user_resource(user, groups.get(user.id, ())), request) for user in users]
