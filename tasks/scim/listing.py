"""A part of a list, and the attributes of its entries that are asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from scim2_models import (
    Context,
    Error,
    InvalidFilterException,
    Path,
    PreconditionFailedException,
    Resource,
    ResponseParameters,
    SCIMException,
    SearchRequest,
)
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from tasks.scim.filters import LONGEST, Attribute, condition_of
from tasks.scim.resources import POLICY

MOST = 1000  # entries in an answer
MOST_MEMBERS = 100_000  # of all groups in an answer


@dataclass(frozen=True)
class Listing:
    """Entries of a list."""

    total: int  # entries of the whole list
    start: int  # the place of the first entry here, from 1
    entries: list[dict[str, Any]]


def read_search(kind: type[Resource[Any]], given: Mapping[str, Any]) -> SearchRequest[Any]:
    """Returns what is asked of a list of this kind. Raises `SCIMException`."""
    if len(str(given.get("filter") or "")) > LONGEST:
        raise InvalidFilterException(detail=f"The filter is longer than {LONGEST:,} characters. Send a shorter one.")
    try:
        request: SearchRequest[Any] = SearchRequest[kind].model_validate(  # type: ignore[valid-type]
            dict(given), scim_ctx=Context.SEARCH_REQUEST, scim_policy=POLICY
        )
    except ValidationError as error:
        raise as_scim(error) from None
    except RecursionError:
        raise InvalidFilterException(detail="The filter is nested too deeply. Send a simpler one.") from None
    return request


def span_of(request: SearchRequest[Any]) -> tuple[int, int]:
    """Returns the place of the first entry that is asked for, from 1, and how many are."""
    count = MOST if request.count is None else min(request.count, MOST)
    return min(request.start_index or 1, 2**31), count


def part_of(
    session: Session,
    kind: type[Any],
    ours: ColumnElement[bool],
    names: Mapping[str, Attribute],
    request: SearchRequest[Any],
) -> tuple[int, int, Sequence[Any]]:
    """Returns how many of our rows of this kind the filter finds, the place of the first that is asked for, and those
    that are, in order of id. Raises `SCIMException`."""
    found = ours if request.filter is None else ours & condition_of(request.filter.ast, names)
    start, count = span_of(request)
    total = session.scalars(select(func.count()).select_from(kind).where(found)).one()
    part = select(kind).where(found).order_by(kind.id).offset(start - 1).limit(count)
    return total, start, session.scalars(part).all() if count else []


def wants(request: ResponseParameters[Any], name: str, *, usually: bool) -> bool:
    """Returns whether an attribute is asked for; `usually`: without being named."""
    if any(_is(path, name) for path in request.excluded_attributes or ()):
        return False
    if request.attributes:
        return any(_is(path, name) for path in request.attributes)
    return usually


def dumped(resource: Resource[Any], request: ResponseParameters[Any]) -> dict[str, Any]:
    """Returns a resource as JSON, with the attributes that are asked for."""
    return resource.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=request)


def check_version(if_match: str | None, version: str) -> None:
    """Raise `PreconditionFailedException` if a change is meant for another version (RFC 9110, `If-Match`)."""
    if if_match is None or if_match.strip() == "*":
        return
    if version not in {one.strip() for one in if_match.split(",")}:
        raise PreconditionFailedException(detail="It has changed since. Get it again, and send the change again.")


def as_scim(error: ValidationError) -> SCIMException:
    """Returns the error as SCIM reports it: the first of several."""
    first, *_ = error.errors(include_input=False, include_url=False)
    return SCIMException.from_error(Error.from_validation_error(first))


def _is(path: Path[Any], name: str) -> bool:
    last = str(path).rpartition(":")[2].lower()
    return last == name or last.startswith(f"{name}.")
