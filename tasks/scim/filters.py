"""SCIM filters (RFC 7644, section 3.4.2.2) as conditions in SQL."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import reduce
from operator import and_, or_
from typing import Any, NoReturn

from scim2_models import InvalidFilterException
from scim2_models.path import (
    AttrPath,
    CompareOperator,
    Comparison,
    FilterNode,
    FilterVisitor,
    LogicalExpr,
    LogicalOperator,
    Not,
    Present,
    ValuePath,
)
from sqlalchemy import ColumnElement, cast, exists, false, func, literal, not_, true
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import Text

from models.groups import Group, GroupMember
from models.people import User
from tasks.scim.resources import WORK

LONGEST = 1000  # characters of a filter
BIGGEST = 2**63 - 1

Condition = ColumnElement[bool]
Value = ColumnElement[Any] | InstrumentedAttribute[Any]


class Kind(StrEnum):
    """How an attribute's values are compared."""

    CASELESS = "text in any case"
    EXACT = "text"
    FLAG = "boolean"
    MOMENT = "date and time"


@dataclass(frozen=True)
class Attribute:
    """An attribute that filters can name."""

    kind: Kind
    value: Value
    equals: Callable[[str], Condition] | None = None  # where an index serves it
    only_equals: bool = False  # among several values, for which there is no order


def id_of(text: str) -> int:
    """Returns the number that a SCIM id stands for; 0, which no row has, if it is not one of ours."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
    return number if number <= BIGGEST else 0


def _has_member(user_id: str) -> Condition:
    return exists().where(GroupMember.group_id == Group.id, GroupMember.user_id == id_of(user_id))


_address = Attribute(Kind.CASELESS, User.email, User.has_address)
USERS: Mapping[str, Attribute] = {
    "id": Attribute(Kind.EXACT, cast(User.id, Text), lambda text: User.id == id_of(text)),
    "externalid": Attribute(Kind.EXACT, User.external_id, lambda text: User.external_id == text),
    "username": Attribute(Kind.CASELESS, func.coalesce(User.user_name, User.email), User.is_called),
    "displayname": Attribute(Kind.CASELESS, User.name),
    "name.formatted": Attribute(Kind.CASELESS, User.name),
    "emails": _address,
    "emails.value": _address,
    "emails.type": Attribute(Kind.CASELESS, literal(WORK, Text)),
    "active": Attribute(Kind.FLAG, User.active),
    "locale": Attribute(Kind.CASELESS, User.locale),
    "timezone": Attribute(Kind.CASELESS, User.time_zone),
    "meta.created": Attribute(Kind.MOMENT, User.created_at),
}
_members = Attribute(Kind.EXACT, cast(Group.id, Text), _has_member, only_equals=True)
GROUPS: Mapping[str, Attribute] = {
    "id": Attribute(Kind.EXACT, cast(Group.id, Text), lambda text: Group.id == id_of(text)),
    "externalid": Attribute(Kind.EXACT, Group.external_id, lambda text: Group.external_id == text),
    "displayname": Attribute(Kind.CASELESS, Group.name),
    "members": _members,
    "members.value": _members,
}


def condition_of(node: FilterNode, attributes: Mapping[str, Attribute]) -> Condition:
    """Returns the condition that a filter stands for. Raises `InvalidFilterException`."""
    try:
        return _Conditions(attributes).visit(node)
    except RecursionError:
        raise InvalidFilterException(detail="The filter is nested too deeply. Send a simpler one.") from None


class _Conditions(FilterVisitor[Condition]):
    def __init__(self, attributes: Mapping[str, Attribute], within: str = "") -> None:
        self._attributes, self._within = attributes, within

    def visit_logical_expr(self, node: LogicalExpr) -> Condition:
        terms = [self.visit(term) for term in node.terms]
        return reduce(and_ if node.op == LogicalOperator.and_ else or_, terms)

    def visit_not(self, node: Not) -> Condition:
        return not_(func.coalesce(self.visit(node.expr), false()))

    def visit_present(self, node: Present) -> Condition:
        attribute = self._attribute(node.attr_path)
        if attribute.only_equals:
            return exists().where(GroupMember.group_id == Group.id)
        return attribute.value.is_not(None)

    def visit_value_path(self, node: ValuePath) -> Condition:
        inner = _Conditions(self._attributes, f"{node.attr_path.attr}.")
        return inner.visit(node.val_filter)

    def visit_comparison(self, node: Comparison) -> Condition:
        attribute = self._attribute(node.attr_path)
        if node.value is None:
            return self._compared_with_nothing(attribute, node.op)
        match attribute.kind:
            case Kind.FLAG:
                return _flag(attribute, node)
            case Kind.MOMENT:
                return _ordered(attribute.value, node.op, _moment(node))
            case _:
                return _text(attribute, node)

    def _attribute(self, path: AttrPath) -> Attribute:
        name = f"{self._within}{path.attr}{f'.{path.sub_attr}' if path.sub_attr else ''}".lower()
        if name not in self._attributes:
            _refuse(f"There is no filter by {name}. Use {', '.join(self._attributes)}.")
        return self._attributes[name]

    def _compared_with_nothing(self, attribute: Attribute, op: CompareOperator) -> Condition:
        if op == CompareOperator.eq:
            return attribute.value.is_(None)
        return attribute.value.is_not(None) if op == CompareOperator.ne else false()


def _text(attribute: Attribute, node: Comparison) -> Condition:
    if not isinstance(node.value, str):
        _refuse(f"{node.attr_path} is text. Write it in quotes.")
    if node.op == CompareOperator.eq and attribute.equals:
        return attribute.equals(node.value)
    if attribute.only_equals:
        _refuse(f"Compare {node.attr_path} with eq alone.")
    value, wanted = attribute.value, node.value
    if attribute.kind == Kind.CASELESS:
        value, wanted = func.lower(value), wanted.lower()
    match node.op:
        case CompareOperator.co:
            return value.contains(wanted, autoescape=True)
        case CompareOperator.sw:
            return value.startswith(wanted, autoescape=True)
        case CompareOperator.ew:
            return value.endswith(wanted, autoescape=True)
        case _:
            return _ordered(value, node.op, wanted)


def _flag(attribute: Attribute, node: Comparison) -> Condition:
    wanted = {"true": True, "false": False}.get(str(node.value).lower())
    if wanted is None or node.op not in (CompareOperator.eq, CompareOperator.ne):
        _refuse(f"Compare {node.attr_path} with eq or ne, and with true or false.")
    return attribute.value.is_(true() if wanted == (node.op == CompareOperator.eq) else false())


def _moment(node: Comparison) -> datetime:
    try:
        found = datetime.fromisoformat(str(node.value))
    except ValueError:
        _refuse(f"{node.attr_path} is a date and time, such as 2027-01-31T12:00:00Z.")
    if found.tzinfo is None:
        _refuse(f"{node.attr_path} needs a time zone, as in 2027-01-31T12:00:00Z.")
    return found


def _ordered(value: Value, op: CompareOperator, wanted: object) -> Condition:
    match op:
        case CompareOperator.eq:
            return value == wanted
        case CompareOperator.ne:
            return value.is_distinct_from(wanted)
        case CompareOperator.gt:
            return value > wanted
        case CompareOperator.ge:
            return value >= wanted
        case CompareOperator.lt:
            return value < wanted
        case CompareOperator.le:
            return value <= wanted
    raise InvalidFilterException(detail=f"Dates cannot be compared with {op}.")


def _refuse(why: str) -> NoReturn:
    raise InvalidFilterException(detail=why)
