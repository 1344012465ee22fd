"""Numbers in paths, queries and forms."""

from typing import Annotated

from fastapi import Path

BIGGEST = 2**63 - 1  # the largest bigint of PostgreSQL

Number = Annotated[int, Path(ge=0, le=BIGGEST)]


def number_in(text: str) -> int | None:
    """Return the whole number that the text is, from 0 to the largest that a row can hold; else `None`."""
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        return None
    number = int(text)
    return number if number <= BIGGEST else None
