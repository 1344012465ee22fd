"""Ids as people type them: the end of a UUID, or its beginning.

A UUIDv7 begins with its time, so that the ids of one minute begin alike. Its end is random: that is what tables show.
"""

import re
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Text, cast, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

USUAL = 8  # digits
LISTED = 5

_PART = re.compile(r"[0-9a-f]{4,32}")


def short(ids: Sequence[UUID]) -> dict[UUID, str]:
    """Returns the ends of these ids, as long as it takes to tell the ids apart."""
    length = USUAL
    while len({one.hex[-length:] for one in ids}) < len(set(ids)):
        length += 1
    return {one: one.hex[-length:] for one in ids}


def ids_like(
    session: Session, column: InstrumentedAttribute[UUID], text: str, *where: ColumnElement[bool]
) -> list[UUID]:
    """Returns the ids in the column that begin or end with this text, with or without hyphens; the id itself if the
    text is a whole one. At most `LISTED` and one more."""
    digits = text.strip().lower().replace("-", "")
    if not _PART.fullmatch(digits):
        return []
    if len(digits) == 32:
        return [UUID(digits)]
    written = func.replace(cast(column, Text), "-", "")
    found = select(column).where(or_(written.like(f"{digits}%"), written.like(f"%{digits}")), *where)
    return list(session.scalars(found.order_by(column.desc()).limit(LISTED + 1)))


def in_words(ids: Sequence[UUID]) -> str:
    """Returns ids that were found to be alike, with enough of each to name it."""
    ends = list(short(ids).values())
    return ", ".join(ends[:LISTED]) + (", …" if len(ends) > LISTED else "")
