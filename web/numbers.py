"""Numbers in paths."""

from typing import Annotated

from fastapi import Path

BIGGEST = 2**63 - 1  # the largest bigint of PostgreSQL

Number = Annotated[int, Path(ge=0, le=BIGGEST)]
