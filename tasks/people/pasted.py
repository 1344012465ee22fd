"""Lists of users as people paste them: addresses, names with addresses as mail programs write them, external ids."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Text, any_, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from models.access import Actor, Permission
from models.external_ids import external_id_in
from models.people import User
from models.refusals.people import ListTooLong

MOST_IN_A_LIST = 10_000
LINES = re.compile(r"[;\r\n]+")
CELLS = re.compile(r"[,\t]")
IN_ANGLES = re.compile(r"<\s*(?:mailto:)?([^<>\s]+@[^<>\s]+)\s*>")
QUOTED = re.compile(r'"((?:[^"\\\r\n]|\\.)*)"(\s*<)?')
NAME = re.compile(r"[^\W\d_]+(?:[ .'\u2019-]+[^\W\d_]+)*\.?")  # as in: Khan, Kim <kim@acme.example>
FULL_NAME = re.compile(r"[^\W\d_]+(?:[ .'\u2019-]+[^\W\d_]+)+\.?")


@dataclass(frozen=True)
class Found:
    """A user in a pasted list."""

    id: int
    name: str
    email: str


@dataclass(frozen=True)
class Pasted:
    """What a pasted list stands for."""

    users: list[Found]  # in order of name, each once
    unknown: list[str]  # as pasted, each once
    repeated: int  # lines for users who were in the list before


def read_list(session: Session, actor: Actor, text: str) -> Pasted:
    """Returns the organization's users in the list, and what names no user of it. Removed users are unknown.

    Commas, semicolons, tabs and line breaks separate. Raises `Forbidden`, `ListTooLong`.
    """
    actor.must_have(Permission.USERS)
    parts = list(parts_of(text))
    if sum(not perhaps_a_name for _, perhaps_a_name in parts) > MOST_IN_A_LIST:
        raise ListTooLong(MOST_IN_A_LIST)
    addresses = sorted({part.lower() for part, _ in parts if "@" in part})
    external_ids = sorted({external_id_in(part) or part for part, _ in parts})
    query = select(User).where(
        User.organization_id == actor.organization_id,
        User.is_kept(),
        or_(
            func.lower(User.email) == any_(literal(addresses, ARRAY(Text))),
            User.external_id == any_(literal(external_ids, ARRAY(Text))),
        ),
    )
    by_name: dict[str, User] = {}
    for user in session.scalars(query):
        by_name[user.email.lower()] = user
        if user.external_id is not None:
            by_name.setdefault(user.external_id, user)
    found: dict[int, User] = {}
    unknown: dict[str, None] = {}
    repeated = 0
    for part, perhaps_a_name in parts:
        one = by_name.get(part.lower() if "@" in part else part) or by_name.get(external_id_in(part) or part)
        if one is None:
            unknown |= {} if perhaps_a_name else {part: None}
            continue
        repeated += one.id in found
        found[one.id] = one
    users = sorted(found.values(), key=lambda user: (user.name, user.id))
    return Pasted([Found(user.id, user.name, user.email) for user in users], list(unknown), repeated)


def parts_of(text: str) -> Iterator[tuple[str, bool]]:
    """Yields what is between the separators, without the quoted names of addresses.

    Each comes with whether it may be a person's name beside their address: written without quotation marks, it can
    contain a comma, and in a table it has a column of its own.
    """
    for line in LINES.split(QUOTED.sub(_unquoted, text.replace("\x00", ""))):
        parts = [part for part in (one.strip() for one in CELLS.split(line)) if part]
        with_address = "@" in line
        for part, following in zip(parts, [*parts, ""][1:], strict=True):
            if address := IN_ANGLES.search(part):
                yield address[1], False
            elif all("@" in word for word in part.split()):  # addresses with spaces between them
                yield from ((word, False) for word in part.split())
            else:
                before_angles = NAME.fullmatch(part) is not None and IN_ANGLES.search(following) is not None
                yield part, before_angles or (with_address and FULL_NAME.fullmatch(part) is not None)


def _unquoted(match: re.Match[str]) -> str:
    return "<" if match[2] else match[1]
