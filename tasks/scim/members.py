"""What a request says about a group: its name, its external id, and its members, however many.

Read by hand: thousands of members are a list of numbers here, and not of objects.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scim2_models import InvalidPathException, InvalidValueException, MutabilityException, NoTargetException

from tasks.scim.filters import id_of
from tasks.scim.resources import Group

PREFIX = f"{Group.__schema__}:".lower()
SELECTED = re.compile(r"members\s*\[(.*)\]", re.IGNORECASE | re.DOTALL)
ONE = re.compile(r'\s*(?:value|members\.value)\s+eq\s+"([^"\\]*)"\s*', re.IGNORECASE)


@dataclass
class GroupChange:
    """What changes."""

    fields: dict[str, Any] = field(default_factory=dict)  # of `tasks.people.groups.FIELDS`
    join: set[int] = field(default_factory=set)
    leave: set[int] = field(default_factory=set)
    only: bool = False  # everyone who does not join leaves

    def add(self, ids: set[int]) -> None:
        """Let these users join."""
        self.join |= ids
        self.leave -= ids

    def remove(self, ids: set[int]) -> None:
        """Let these users leave."""
        self.join -= ids
        self.leave |= ids

    def replace(self, ids: set[int]) -> None:
        """Let the members be these users."""
        self.join, self.leave, self.only = ids, set(), True


def read_group(payload: Mapping[str, Any]) -> GroupChange:
    """Returns what a whole group says: what it leaves out does not change. Raises `SCIMException`."""
    change = GroupChange()
    for name, value in payload.items():
        _apply(change, "replace", name, value)
    return change


def read_operations(payload: Mapping[str, Any]) -> GroupChange:
    """Returns what the operations of a PATCH come to. Raises `SCIMException`."""
    operations = _lower(payload).get("operations")
    if not isinstance(operations, list) or not operations:
        raise InvalidValueException(detail="Operations must be a list of one or more operations.")
    change = GroupChange()
    for one in operations:
        if not isinstance(one, dict):
            raise InvalidValueException(detail="Each operation must be an object.")
        operation = _lower(one)
        name, path, value = str(operation.get("op")).lower(), operation.get("path"), operation.get("value")
        if name not in ("add", "remove", "replace"):
            raise InvalidValueException(detail="op must be add, remove or replace.")
        if path:
            _apply(change, name, str(path), value)
        elif name == "remove":
            raise NoTargetException(detail="A remove operation needs a path.")
        elif not isinstance(value, dict):
            raise InvalidValueException(detail="Without a path, the value must be an object.")
        else:
            for key, item in value.items():
                _apply(change, name, key, item)
    return change


def _apply(change: GroupChange, op: str, path: str, value: Any) -> None:
    """Note one operation. Attributes that are not kept are passed over, as those of users are."""
    name = path.strip()
    if name.lower().startswith(PREFIX):
        name = name[len(PREFIX) :]
    match name.lower():
        case "displayname":
            if op == "remove" or not isinstance(value, str):
                raise MutabilityException(detail="displayName is text, and always has a value. Replace it instead.")
            change.fields["name"] = value
        case "externalid":
            change.fields["external_id"] = None if op == "remove" else value
        case "members":
            _apply_members(change, op, value)
        case other if other.startswith("members"):
            if op != "remove":
                raise InvalidPathException(detail="Add members with the path members, and a list of values.")
            change.remove(_selected(name))


def _apply_members(change: GroupChange, op: str, value: Any) -> None:
    if op == "remove":
        if value in (None, [], ""):
            change.replace(set())
        else:
            change.remove({key for key in _ids(value) if key})
        return
    ids = _ids(value or [])
    if 0 in ids:
        raise InvalidValueException(detail="One of the members is no user of this organization. Nothing was changed.")
    if op == "add":
        change.add(ids)
    else:
        change.replace(ids)


def _selected(path: str) -> set[int]:
    """Returns the ids in a path such as `members[value eq "12" or value eq "13"]`."""
    inner = SELECTED.fullmatch(path.split("].", maxsplit=1)[0] + "]" if "]." in path else path)
    found = [ONE.fullmatch(part) for part in re.split(r"\sor\s", inner[1], flags=re.IGNORECASE)] if inner else [None]
    if not all(found):
        raise InvalidPathException(detail='Name members like members[value eq "42"].')
    return {id_of(one[1]) for one in found if one} - {0}


def _ids(value: Any) -> set[int]:
    """Returns the ids of members: 0 for what is none of ours."""
    ids = set()
    for one in value if isinstance(value, list) else [value]:
        member = _lower(one) if isinstance(one, dict) else {"value": one}
        if str(member.get("type") or "").lower() == "group" or "/Groups/" in str(member.get("$ref") or ""):
            raise InvalidValueException(detail="Groups have no groups here. Send their users. Nothing was changed.")
        ids.add(id_of(str(member.get("value"))))
    return ids


def _lower(given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the object with its names in lower case, which does not count (RFC 7643, section 2.1)."""
    return {str(name).lower(): value for name, value in given.items()}
